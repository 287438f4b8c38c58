// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const helperVar = "DISCOVERY_TEST_HELPER"

// TestMain lets a test start its own executable as a process to be discovered:
// with helperVar set it listens on that address until its input ends.
func TestMain(m *testing.M) {
	if addr := os.Getenv(helperVar); addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// helperArgs are a helper's: no other run of these tests has helpers with the same.
var helperArgs = []string{"-helper", "live", fmt.Sprint(os.Getpid())}

// startHelper starts a listening process and returns its pid and port.
func startHelper(t *testing.T, addr string, env ...string) (uint32, uint16) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", helperArgs...)
	cmd.Env = append(append(os.Environ(), helperVar+"="+addr), env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	var p uint16
	if _, err := fmt.Fscan(stdout, &p); err != nil {
		t.Fatal(err)
	}
	return uint32(cmd.Process.Pid), p
}

func TestLiveProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v4, port4 := startHelper(t, "127.0.0.1:0", "OTEL_SERVICE_NAME=live-shop", "OTEL_RESOURCE_ATTRIBUTES=team=a%20b")
	v6, port6 := startHelper(t, "[::1]:0")
	for name, rules := range map[string]Rules{
		"by port":              {Include: []Rule{{Ports: port(port4)}, {Ports: port(port6)}}},
		"by exe and port":      {Include: []Rule{{Exe: []string{self}, Ports: []PortRange{{port4, port4}, {port6, port6}}}}},
		"by exe, other exempt": {Include: []Rule{{Exe: []string{self}}}, Exclude: []Rule{{PIDs: []int{os.Getpid(), os.Getppid()}}}},
		"by command line":      {Include: []Rule{{Cmdline: []string{"/proc/self/exe " + strings.Join(helperArgs, " ")}}}},
		"by pid":               {Include: []Rule{{PIDs: []int{int(v4), int(v6)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newFakeKernel()
			d, err := New(compile(t, rules), k, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := []uint32{v4, v6}
			slices.Sort(want)
			if got := k.selected(); !slices.Equal(got, want) {
				t.Fatalf("%d processes are selected, want only the two helpers", len(got))
			}
			target := d.Lookup(v4)
			if target.Service != "live-shop" || d.Lookup(v6).Service != filepath.Base(self) {
				t.Errorf("services %q and %q", target.Service, d.Lookup(v6).Service)
			}
			if team, ok := target.Resource.Set().Value("team"); !ok || team.AsString() != "a b" {
				t.Error("the process's own attribute is missing")
			}
		})
	}
}

func TestLiveExplain(t *testing.T) {
	pid, p := startHelper(t, "127.0.0.1:0")
	e, err := Explain(compile(t, Rules{Include: []Rule{{Ports: port(p)}}}), pid, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e.State != StateSelected || !slices.Equal(e.Ports, []uint16{p}) || !strings.Contains(e.Cmdline, "-helper live") {
		t.Errorf("%+v", e)
	}
}

// The stack's address, by which program instances are told apart, must differ
// between executions and be readable.
func TestLiveProgramsDiffer(t *testing.T) {
	a, _ := startHelper(t, "127.0.0.1:0")
	b, _ := startHelper(t, "127.0.0.1:0")
	fs, err := newProcFS("/proc", newContainerNames("/"))
	if err != nil {
		t.Fatal(err)
	}
	pa, errA := fs.open(a)
	pb, errB := fs.open(b)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if pa.stat.stack == 0 || pa.stat.stack == pb.stat.stack || pa.stat.start == 0 || pa.stat.ppid != uint32(os.Getpid()) {
		t.Errorf("%+v and %+v", pa.stat, pb.stat)
	}
}

func TestMaybeTCP(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	tcp, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(tcp)
	for fd, want := range map[int]bool{fds[0]: false, tcp: true} {
		if got := maybeTCP(fmt.Sprintf("/proc/self/fd/%d", fd)); got != want {
			t.Errorf("socket %d: %v, want %v", fd, got, want)
		}
	}
}

func TestRunStops(t *testing.T) {
	w := newWorld(t)
	d, k := w.discovery(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}})
	d.opts.RescanEvery = time.Millisecond
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		d.Run(ctx)
		close(done)
	}()
	for deadline := time.Now().Add(10 * time.Second); d.Stats().Selected == 0 && time.Now().Before(deadline); {
		d.OnExit(99) // events go on while a rescan runs
	}
	cancel()
	<-done
	wantStates(t, k, map[uint32]State{10: StateSelected})
}

// benchProcess judges this process as an exec event does.
func benchProcess(b *testing.B, rules Rules) {
	d, err := New(compile(b, rules), newFakeKernel(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	pid := uint32(os.Getpid())
	for b.Loop() {
		d.OnExec(Exec{TGID: pid})
	}
}

func BenchmarkOnExecNotSelected(b *testing.B) {
	benchProcess(b, Rules{Include: []Rule{{Exe: []string{"/usr/sbin/nginx"}}}, Exclude: []Rule{{Exe: []string{"/usr/bin/otelcol*"}}}})
}

func BenchmarkOnExecEveryCriterion(b *testing.B) {
	benchProcess(b, Rules{Include: []Rule{
		{Units: []string{"nginx"}}, {Users: []string{"12345"}}, {Cmdline: []string{"*gunicorn*"}}, {Containers: []string{"abcdef012345"}},
	}})
}

func BenchmarkOnExecPorts(b *testing.B) {
	benchProcess(b, Rules{Include: []Rule{{Ports: port(1)}}})
}

func BenchmarkOnExecSelected(b *testing.B) {
	benchProcess(b, Rules{Include: []Rule{{PIDs: []int{os.Getpid()}}}})
}

func BenchmarkLookup(b *testing.B) {
	d, err := New(compile(b, Rules{Include: []Rule{{PIDs: []int{os.Getpid()}}}}), newFakeKernel(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	pid := uint32(os.Getpid())
	d.OnExec(Exec{TGID: pid})
	for b.Loop() {
		d.Lookup(pid)
	}
}

// BenchmarkStart reports the time for each process of this machine.
func BenchmarkStart(b *testing.B) {
	m := compile(b, Rules{
		Include: []Rule{{Ports: []PortRange{{1, 9}}}, {Exe: []string{"/usr/sbin/nginx"}}, {Units: []string{"web"}, Ports: port(1)}},
		Exclude: []Rule{{Exe: []string{"/usr/bin/otelcol*"}}, {Users: []string{"12345"}}},
	})
	processes := 0
	for b.Loop() {
		d, err := New(m, newFakeKernel(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		pids, err := d.fs.pids()
		if err != nil {
			b.Fatal(err)
		}
		processes = len(pids)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(max(processes, 1)), "µs/process")
}
