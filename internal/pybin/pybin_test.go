// SPDX-License-Identifier: Apache-2.0

package pybin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script says where the interpreter is that runs it, and waits for its input to end.
const script = `
import asyncio, sys, ctypes, contextvars
async def main():
    t = asyncio.current_task()
    words = [ctypes.c_uint64.from_address(id(t) + at).value for at in range(0, type(t).__basicsize__, 8)]
    name = ctypes.c_uint64.from_address(id(t) + int(sys.argv[1])).value
    get = lambda a: ctypes.cast(a, ctypes.py_object).value
    context = [w for w in words if w and w == words[int(sys.argv[1]) // 8 + 1]]
    print(id(sys.modules["_asyncio"].__dict__["_current_tasks"]), id(int), str(get(name)), context[0], flush=True)
    sys.stdin.read()
asyncio.run(main())
`

// pythons returns the interpreters that this machine has, by their minor version.
func pythons(t *testing.T) map[int]string {
	t.Helper()
	found := map[int]string{}
	for minor := range versions {
		name := fmt.Sprintf("python3.%d", minor)
		places := []string{"/usr/bin/" + name, "/usr/local/bin/" + name}
		more, _ := filepath.Glob(filepath.Join(os.Getenv("PYTHONS"), fmt.Sprintf("3.%d*", minor), "bin", name)) // the pattern is well-formed
		for _, path := range append(places, more...) {
			if _, err := os.Stat(path); err == nil {
				found[minor] = path
				break
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("no Python of a known version: install python3")
	}
	return found
}

// start runs a program in Python until the test ends and returns its first line.
func start(t *testing.T, path, program string, args ...string) (pid uint32, line string) {
	t.Helper()
	cmd := exec.Command(path, append([]string{"-c", program}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	})
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return uint32(cmd.Process.Pid), line
}

// TestInspect compares what is read of live interpreters with what they say themselves.
func TestInspect(t *testing.T) {
	for minor, path := range pythons(t) {
		t.Run(fmt.Sprintf("3.%d", minor), func(t *testing.T) {
			pid, line := start(t, path, script, fmt.Sprint(versions[minor].taskName))
			l, err := Inspect(pid)
			if err != nil {
				t.Fatal(err)
			}
			var tasks, number, context uint64
			var name string
			if _, err := fmt.Sscan(line, &tasks, &number, &name, &context); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if l.Minor != minor || l.Tasks != tasks || l.NumberType != number {
				t.Errorf("inspected %+v, want Python 3.%d with tasks at %#x and numbers of type %#x", l, minor, tasks, number)
			}
			if name != "Task-1" && name != "1" {
				t.Errorf("the name of the first task is %q", name)
			}
			m := memoryOf(t, pid)
			if got := m.word(l.Context); got != context || m.err != nil {
				t.Errorf("the main thread's context is %#x (%v), want the task's, %#x", got, m.err, context)
			}
		})
	}
}

func memoryOf(t *testing.T, pid uint32) *memory {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &memory{r: f, left: maxRead}
}

func TestWithoutAsyncio(t *testing.T) {
	for minor, path := range pythons(t) {
		pid, _ := start(t, path, "import sys; print(flush=True); sys.stdin.read()")
		if _, err := Inspect(pid); !errors.Is(err, ErrNoTasks) {
			t.Errorf("Python 3.%d without asyncio: %v, want ErrNoTasks", minor, err)
		}
	}
}

func TestNotPython(t *testing.T) {
	if _, err := Inspect(uint32(os.Getpid())); !errors.Is(err, ErrNotPython) {
		t.Errorf("a Go program: %v, want ErrNotPython", err)
	}
}

// noise is memory whose words point anywhere.
type noise struct{ seed uint64 }

func (n noise) ReadAt(b []byte, at int64) (int, error) {
	r := rand.New(rand.NewPCG(n.seed, uint64(at)))
	for i := range b {
		b[i] = byte(r.Uint32N(4) * r.Uint32N(64))
	}
	return len(b), nil
}

// TestNoise: memory that makes no sense leads to an error, in bounded time.
func TestNoise(t *testing.T) {
	for seed := range uint64(200) {
		for minor, v := range versions {
			in := &interpreter{memory: memory{r: noise{seed}, left: maxRead}, version: v, tid: 1}
			s := &symbols{m: &in.memory, hash: seed, names: 1, values: 2}
			if a, err := s.address("_PyRuntime"); err == nil {
				t.Errorf("seed %d: a symbol at %#x", seed, a)
			}
			in.memory = memory{r: noise{seed}, left: maxRead}
			if v := in.lookup(seed, "_asyncio"); v != 0 {
				t.Errorf("seed %d, Python 3.%d: a value %#x", seed, minor, v)
			}
		}
	}
}

// TestUnreadable: after an error nothing more is read.
func TestUnreadable(t *testing.T) {
	m := memory{r: strings.NewReader(""), left: maxRead}
	if m.word(8) != 0 || !errors.Is(m.err, io.EOF) {
		t.Errorf("reading nothing: %v, want %v", m.err, io.EOF)
	}
	m = memory{r: noise{1}, left: 64}
	if m.word(8); m.err != nil {
		t.Fatal(m.err)
	}
	if m.word(16) != 0 || !errors.Is(m.err, errTooMuch) {
		t.Errorf("reading too much: %v, want %v", m.err, errTooMuch)
	}
}
