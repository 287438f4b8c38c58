// SPDX-License-Identifier: Apache-2.0

//go:build integration

package probes

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// countsEnv names a file that TestVerifier writes its counts to.
const countsEnv = "VERIFIER_COUNTS"

// numbers are the values that the load-time constants other than flags are
// tried with: the default, then the ends of what the configuration accepts.
func numbers() map[string][3]uint32 {
	return map[string][3]uint32{
		"request_head_bytes":  {8192, 256, 16384},
		"response_head_bytes": {2048, 128, 16384},
		"note_mask":           {1<<17 - 1, 0, 1<<17 - 1}, // of 4194304 tasks, as on machines with systemd
		"note_shift":          {17, 0, 17},
	}
}

// TestVerifier loads every backend that this kernel has a place for with every
// combination of its flags, and with the smallest and largest numbers. A kernel may refuse a backend; that its verifier rejects one is a failure.
func TestVerifier(t *testing.T) {
	types, kernel := loadingTypes(t)
	var counts []string
	for _, b := range Backends() {
		t.Run(string(b), func(t *testing.T) {
			insns := map[string]int{}
			for _, knobs := range combinations(t, b) {
				countInsns(t, b, knobs, types, kernel, insns)
			}
			for _, name := range slices.Sorted(maps.Keys(insns)) {
				counts = append(counts, fmt.Sprintf("insns %s %s %d", b, name, insns[name]))
				t.Log(counts[len(counts)-1])
			}
		})
	}
	if len(counts) == 0 {
		t.Fatal("no program was verified")
	}
	if path := os.Getenv(countsEnv); path != "" {
		if err := os.WriteFile(path, []byte(strings.Join(counts, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// combinations returns the settings of a backend's load-time constants that it
// is tried with.
func combinations(t *testing.T, b Backend) []map[string]any {
	t.Helper()
	spec, err := b.spec()
	if err != nil {
		t.Fatal(err)
	}
	usual := map[string]any{}
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(spec.Variables)) {
		v := spec.Variables[name]
		i, ok := btf.UnderlyingType(v.Type.Type).(*btf.Int)
		values, known := numbers()[name]
		switch {
		case !ok || !v.Constant() || name == "role" || name == "use_sk_storage" && !(b.trustsSockets() && haveStorage(t)):
		case known:
			usual[name] = values[0]
		case i.Encoding == btf.Bool:
			flags = append(flags, name)
		default:
			t.Fatalf("constant %s: say in numbers what it is tried with", name)
		}
	}
	all := []map[string]any{usual}
	for _, name := range flags {
		all = each(all, name, false, true)
	}
	roles := []any{roleAlone} // of programs that are loaded twice, TestStandInsRunBehind loads both everywhere
	if need, err := preemptible(); err != nil {
		t.Fatal(err)
	} else if need {
		roles = []any{roleFirst, roleStandIn}
	}
	all = each(all, "role", roles...)
	set := all[len(all)-1] // every flag
	for end := 1; end <= 2; end++ {
		extreme := maps.Clone(set)
		for name, values := range numbers() {
			extreme[name] = values[end]
		}
		all = append(all, extreme)
	}
	return all
}

// each returns every setting with every value of a constant.
func each(settings []map[string]any, constant string, values ...any) []map[string]any {
	var all []map[string]any
	for _, s := range settings {
		for _, v := range values {
			with := maps.Clone(s)
			with[constant] = v
			all = append(all, with)
		}
	}
	return all
}

// countInsns loads b and raises insns, by program, to what the verifier walked.
func countInsns(t *testing.T, b Backend, knobs map[string]any, types *btf.Cache, kernel *btf.Spec, insns map[string]int) {
	t.Helper()
	spec, err := b.spec()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.prune(spec, kernel); err != nil {
		t.Fatal(err)
	}
	preallocate(spec)
	for name, v := range knobs {
		if err := spec.Variables[name].Set(v); err != nil {
			t.Fatal(err)
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Programs: ebpf.ProgramOptions{KernelTypes: kernel, LogLevel: ebpf.LogLevelStats}, Cache: types})
	switch {
	case err == nil:
	case len(insns) > 0 || rejected(err):
		t.Fatalf("with %v: %+v", knobs, err)
	default:
		t.Skipf("this kernel does not take the backend: %v", err)
	}
	defer coll.Close()
	for name, prog := range coll.Programs {
		n := walked(prog.VerifierLog)
		if n == 0 {
			t.Errorf("%s: the verifier told no count: %q", name, prog.VerifierLog)
		}
		insns[name] = max(insns[name], n)
	}
}

// rejected says that the verifier did not like a program, whereas the kernel may refuse the backend.
func rejected(err error) bool {
	var e *ebpf.VerifierError
	return errors.Is(err, unix.EFAULT) || errors.As(err, &e) && len(e.Log) > 1 // EFAULT: it found a bug of its own
}

// walked reads the number of instructions from the verifier's statistics.
func walked(log string) int {
	for line := range strings.Lines(log) {
		var n int
		if _, err := fmt.Sscanf(line, "processed %d insns", &n); err == nil {
			return n
		}
	}
	return 0
}

// haveStorage says whether tracing programs may use socket-local storage (5.11,
// commit 8e4597c627fb). The agent finds out by trying.
func haveStorage(t *testing.T) bool {
	t.Helper()
	return kernelVersion(t) >= 5<<16|11<<8
}

func kernelVersion(t *testing.T) uint32 {
	t.Helper()
	version, err := features.LinuxVersionCode()
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// loadingTypes are what programs are loaded with, here and in TestStandInsRunBehind.
func loadingTypes(t *testing.T) (*btf.Cache, *btf.Spec) {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Log(err)
	}
	types := btf.NewCache()
	kernel, err := types.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	return types, kernel
}
