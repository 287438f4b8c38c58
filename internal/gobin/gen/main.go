// SPDX-License-Identifier: Apache-2.0

// Command gen writes the table of package gobin: it fetches Go toolchains as
// modules, builds a small program with each, and reads from its debug
// information where the fields lie.
//
//	go run ./internal/gobin/gen -out internal/gobin/layouts.go
//
// The releases are those listed here: of each Go 1.N the first, and the last
// there was when the table was made. If the two differ, or the two machines do,
// it fails: then the table needs more than a line for each N.
package main

import (
	"debug/elf"
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/tracer-agent/tracer-agent/internal/gobin"
)

// line is what the releases of one Go 1.N agree on.
type line struct {
	minor    int
	releases []string
	g        gobin.GLayout
	conn     gobin.ConnLayout
}

// wanted lists the releases to read, oldest first.
func wanted() []line {
	return []line{
		{minor: 17, releases: []string{"1.17", "1.17.13"}},
		{minor: 18, releases: []string{"1.18", "1.18.10"}},
		{minor: 19, releases: []string{"1.19", "1.19.13"}},
		{minor: 20, releases: []string{"1.20", "1.20.14"}},
		{minor: 21, releases: []string{"1.21.0", "1.21.13"}},
		{minor: 22, releases: []string{"1.22.0", "1.22.12"}},
		{minor: 23, releases: []string{"1.23.0", "1.23.12"}},
		{minor: 24, releases: []string{"1.24.0", "1.24.13"}},
		{minor: 25, releases: []string{"1.25.0", "1.25.14"}},
		{minor: 26, releases: []string{"1.26.0", "1.26.11"}},
		{minor: 27, releases: []string{"1.27.0", "1.27.4"}},
	}
}

func main() {
	out := flag.String("out", "layouts.go", "the `file` to write")
	flag.Parse()
	if err := run(*out, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(out string, log *slog.Logger) error {
	dir, err := os.MkdirTemp("", "gobin")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := writeProgram(dir); err != nil {
		return err
	}
	lines := wanted()
	for i := range lines {
		if err := readLine(dir, &lines[i]); err != nil {
			return fmt.Errorf("go1.%d: %w", lines[i].minor, err)
		}
		log.Info("read", "minor", lines[i].minor, "g", lines[i].g, "conn", lines[i].conn)
	}
	return writeTable(out, lines)
}

// readLine fills in a line: from all its releases for amd64, from the last for
// arm64 as well.
func readLine(dir string, l *line) error {
	last := l.releases[len(l.releases)-1]
	if err := readBuild(dir, last, "amd64", l); err != nil {
		return err
	}
	others := []struct{ release, arch string }{{last, "arm64"}}
	for _, r := range l.releases[:len(l.releases)-1] {
		others = append(others, struct{ release, arch string }{r, "amd64"})
	}
	for _, o := range others {
		other := line{}
		if err := readBuild(dir, o.release, o.arch, &other); err != nil {
			return err
		}
		if other.g != l.g || other.conn != l.conn {
			return fmt.Errorf("%s for %s has %+v %+v, %s for amd64 has %+v %+v", o.release, o.arch, other.g, other.conn, last, l.g, l.conn)
		}
	}
	return nil
}

// readBuild builds the program with one release and reads its layout.
func readBuild(dir, release, arch string, l *line) error {
	exe := filepath.Join(dir, "program-"+release+"-"+arch)
	defer os.Remove(exe)
	build := exec.Command("go", "build", "-o", exe, "-ldflags=-compressdwarf=false", ".")
	build.Dir = dir
	// Old releases refuse flags that a newer one may have been set to, and Go
	// 1.19 does not find its own packages among the modules with an index.
	build.Env = append(os.Environ(), "GOTOOLCHAIN=go"+release, "GOFLAGS=-mod=mod", "GODEBUG=goindex=0",
		"GOARCH="+arch, "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build with go%s for %s: %w\n%s", release, arch, err, out)
	}
	f, err := os.Open(exe)
	if err != nil {
		return fmt.Errorf("open what go%s built: %w", release, err)
	}
	defer f.Close()
	if l.g, l.conn, err = gobin.LayoutFromDebugInfo(f); err != nil {
		return fmt.Errorf("read what go%s built: %w", release, err)
	}
	if l.g.Goid == 0 || l.conn == (gobin.ConnLayout{}) {
		return fmt.Errorf("go%s: debug information lacks a field", release)
	}
	return readHashes(f, &l.conn)
}

// readHashes reads the hashes of types from the itabs that the variables of the
// program begin with.
func readHashes(f *os.File, conn *gobin.ConnLayout) error {
	exe, err := elf.NewFile(f)
	if err != nil {
		return fmt.Errorf("read sections: %w", err)
	}
	symbols, err := exe.Symbols()
	if err != nil {
		return fmt.Errorf("read symbols: %w", err)
	}
	at := map[string]uint64{}
	for _, s := range symbols {
		at[s.Name] = s.Value
	}
	for name, hash := range map[string]*uint32{"main.TCP": &conn.TCPConn, "main.Unix": &conn.UnixConn, "main.TLS": &conn.TLSConn} {
		itab := make([]byte, 8)
		if err := readAddress(exe, itab, at[name]); err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		p := make([]byte, 4)
		if err := readAddress(exe, p, binary.LittleEndian.Uint64(itab)+uint64(conn.ItabHash)); err != nil {
			return fmt.Errorf("itab of %s: %w", name, err)
		}
		*hash = binary.LittleEndian.Uint32(p)
	}
	return nil
}

// readAddress fills p with what is loaded at an address.
func readAddress(exe *elf.File, p []byte, addr uint64) error {
	for _, s := range exe.Progs {
		if s.Type == elf.PT_LOAD && addr >= s.Vaddr && addr < s.Vaddr+s.Filesz {
			_, err := s.ReadAt(p, int64(addr-s.Vaddr))
			return err
		}
	}
	return fmt.Errorf("nothing is loaded at %#x", addr)
}
