// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestInspectLocal(t *testing.T) {
	for _, m := range usual() {
		t.Run(m.name, func(t *testing.T) { checkMode(t, builder{}, m) })
	}
}

// TestInspectReleases does the same with other Go releases, which it fetches:
// those in TRACER_GO_RELEASES, separated by spaces, or all of the table.
func TestInspectReleases(t *testing.T) {
	wanted := strings.Fields(os.Getenv("TRACER_GO_RELEASES"))
	if len(wanted) == 0 {
		t.Skip("it fetches and runs other Go releases: set TRACER_GO_RELEASES to some, or to all (make test-go-versions)")
	}
	if slices.Equal(wanted, []string{"all"}) {
		wanted = Releases()
	}
	for _, release := range wanted {
		for _, m := range modes() {
			t.Run(release+"/"+m.name, func(t *testing.T) { checkMode(t, builder{release}, m) })
		}
	}
}

// TestExperiments proves of each experiment that is taken for harmless that it
// is, with releases that have it.
func TestExperiments(t *testing.T) {
	if os.Getenv("TRACER_GO_RELEASES") == "" {
		t.Skip("it fetches and runs other Go releases: set TRACER_GO_RELEASES (make test-go-versions)")
	}
	releases := map[string][]string{
		"boringcrypto":       {"1.19.13", "1.27.4"},
		"nocoverageredesign": {"1.20.14", "1.23.12"},
	}
	for _, e := range harmlessExperiments() {
		if len(releases[e]) == 0 {
			t.Errorf("no release to try %s with", e)
		}
		for _, release := range releases[e] {
			m := mode{name: "static", dirs: []string{"witness"}, cgo: e == "boringcrypto", experiment: e}
			t.Run(e+"/"+release, func(t *testing.T) { checkMode(t, builder{release}, m) })
		}
	}
}

// checkMode compares what Inspect says of a stripped executable with the symbols
// and the debug information of its twin that has them, and with what the
// program itself finds when it runs.
func checkMode(t *testing.T, b builder, m mode) {
	m.needs(t)
	stripped, full := b.build(t, m, "-s -w"), b.build(t, m, "-compressdwarf=false")
	got, err := InspectFile(stripped)
	if err != nil {
		t.Fatal(err)
	}
	want := truth(t, full)
	if strings.Replace(got.Version, "-X:", " X:", 1) != b.version(m) {
		t.Errorf("version %q, want %q", got.Version, b.version(m))
	}
	if got.TLS != want.TLS {
		t.Errorf("TLS %d, the symbol says %d", got.TLS, want.TLS)
	}
	if got.G != want.G {
		t.Errorf("G %+v, debug information says %+v", got.G, want.G)
	}
	oldARM := m.machine() == "arm64" && strings.HasPrefix(got.Version, "go1.17")
	if oldARM {
		if got.RoundTrip != 0 || got.Conn != (ConnLayout{}) {
			t.Errorf("arguments are on the stack, yet: %+v", got)
		}
		return
	}
	checkRoundTrip(t, stripped, full, got.RoundTrip, want.RoundTrip)
	if c := got.Conn; c.Conn != want.Conn.Conn || c.Sysfd != want.Conn.Sysfd || c.ItabHash != want.Conn.ItabHash {
		t.Errorf("Conn %+v, debug information says %+v", c, want.Conn)
	}
	if again, err := InspectFile(full); err != nil || again.RoundTrip != want.RoundTrip || again.TLS != want.TLS {
		t.Errorf("with symbols: %+v, %v, want %+v", again, err, want)
	}
	if m.machine() == runtime.GOARCH && runtime.GOARCH == "amd64" {
		witness(t, stripped, got)
	}
}

// checkRoundTrip compares the code at both places. It is the same but for a few
// addresses of data, which symbols may push elsewhere.
func checkRoundTrip(t *testing.T, stripped, full string, got, want uint64) {
	t.Helper()
	if got == 0 || want == 0 {
		t.Fatalf("roundTrip at %#x of the stripped file, at %#x of the other", got, want)
	}
	code := func(path string, offset uint64) []byte {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := make([]byte, 64)
		if _, err := f.ReadAt(p, int64(offset)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := code(stripped, got), code(full, want)
	differ := 0
	for i := range a {
		if a[i] != b[i] {
			differ++
		}
	}
	if differ > len(a)/8 {
		t.Errorf("code at %#x: % x\nthe symbol's, at %#x: % x", got, a, want, b)
	}
}

// witness runs the program with what Inspect said of it.
func witness(t *testing.T, exe string, i Info) {
	t.Helper()
	args := fmt.Sprintf("-tls=%d -goid=%d -parent=%d -conn=%d -sysfd=%d -itabhash=%d -tcp=%d -unix=%d -tlsconn=%d",
		i.TLS, i.G.Goid, i.G.ParentGoid, i.Conn.Conn, i.Conn.Sysfd, i.Conn.ItabHash, i.Conn.TCPConn, i.Conn.UnixConn, i.Conn.TLSConn)
	run := exec.Command(exe, strings.Fields(args)...)
	run.Env = append(os.Environ(), "GODEBUG=")
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("witness %s: %v\n%s", args, err, out)
	}
}

// truth reads from symbols and debug information what Inspect has to find
// without them.
func truth(t *testing.T, path string) Info {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var info Info
	if info.G, info.Conn, err = LayoutFromDebugInfo(f); err != nil {
		t.Fatal(err)
	}
	exe, err := elf.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := exe.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	if exe.Machine == elf.EM_X86_64 {
		info.TLS = -8 // where the runtime of a program without thread-local storage sets the FS base
	}
	for _, s := range symbols {
		switch s.Name {
		case "net/http.(*persistConn).roundTrip":
			info.RoundTrip = inFile(exe, s.Value)
		case "runtime.tlsg":
			if elf.ST_TYPE(s.Info) == elf.STT_TLS && exe.Machine == elf.EM_X86_64 {
				info.TLS = fromThread(exe, s.Value)
			}
		}
	}
	return info
}

func inFile(exe *elf.File, addr uint64) uint64 {
	for _, p := range exe.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr < p.Vaddr+p.Filesz {
			return addr - p.Vaddr + p.Off
		}
	}
	return 0
}

// fromThread turns the position of a thread-local variable into its distance
// from the FS base, below which the executable's variables end (the System V
// ABI's variant II of thread-local storage).
func fromThread(exe *elf.File, value uint64) int32 {
	for _, p := range exe.Progs {
		if p.Type == elf.PT_TLS {
			size := (p.Memsz + p.Align - 1) / p.Align * p.Align
			return int32(value) - int32(size)
		}
	}
	return 0
}
