// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func shell(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

// printed waits for the first line of p and returns it.
func printed(t *testing.T, p *Process) string {
	t.Helper()
	Poll(t, time.Minute, p.Name+" prints a line", func() bool { return strings.Contains(p.Out.String(), "\n") })
	line, _, _ := strings.Cut(p.Out.String(), "\n")
	return line
}

func TestProcessEnds(t *testing.T) {
	t.Setenv(Bin, t.TempDir())
	for name, tt := range map[string]struct {
		script string
		end    func(*Process)
		want   string
	}{
		"by itself":      {"echo up; exit 3", func(p *Process) { <-p.Exited() }, "exit status 3"},
		"politely":       {"trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done", (*Process).Stop, "exit status 4"},
		"by force":       {"trap '' TERM; echo up; while :; do sleep 0.05; done", (*Process).Stop, "signal: killed"},
		"at once":        {"trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done", (*Process).Kill, "signal: killed"},
		"without orphan": {"sleep 600 >/dev/null 2>&1 & echo up; exit 3", func(p *Process) { <-p.Exited(); p.Stop() }, "exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Launch(t, name, shell(tt.script))
			if got := printed(t, p); got != "up" {
				t.Fatalf("it printed %q", got)
			}
			tt.end(p)
			if p.Alive() || p.Err() == nil || p.Err().Error() != tt.want {
				t.Errorf("alive %t, ended by %v, want %s", p.Alive(), p.Err(), tt.want)
			}
			Poll(t, 10*time.Second, "the group is empty", func() bool { return len(groupMembers(p.PID())) == 0 })
		})
	}
}

// What leads no process of this suite any more may be another's group.
func TestOrphanOfAnotherSuite(t *testing.T) {
	t.Setenv(Bin, t.TempDir())
	cmd := shell("sleep 600 >/dev/null 2>&1 & echo $!")
	cmd.Env = []string{"PATH=/usr/bin:/bin", Bin + "=/elsewhere"}
	p := Launch(t, "another", cmd)
	pid := printed(t, p)
	<-p.Exited()
	p.Kill()
	if out, err := exec.Command("kill", pid).CombinedOutput(); err != nil {
		t.Errorf("it was killed: %v\n%s", err, out)
	}
}

func TestMemory(t *testing.T) {
	t.Setenv(Bin, t.TempDir())
	p := Launch(t, "shell", shell("echo up; part=4bf92f35; while :; do whole=$part-77b34da6; sleep 0.05; done"))
	printed(t, p)
	Poll(t, time.Minute, "what the program made is in its memory", func() bool { return bytes.Contains(p.Memory(t), []byte("4bf92f35-77b34da6")) })
}

func TestPorts(t *testing.T) {
	a, b := NewPorts(t), NewPorts(t)
	if a.Selector() == b.Selector() {
		t.Fatalf("two tests have the ports %s", a.Selector())
	}
	taken, err := net.Listen("tcp", fmt.Sprintf(":%d", a.lo))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first := a.Reserve(t, 8)
	for port := a.lo + 1; port < first; port++ {
		if got := a.Take(t); got != port {
			t.Fatalf("port %d, want %d", got, port)
		}
	}
	if first != a.hi-7 || a.next != first {
		t.Errorf("8 ports from %d are reserved in %s, the next is %d", first, a.Selector(), a.next)
	}
}

func TestTail(t *testing.T) {
	for in, want := range map[string]string{
		"short":                        "short",
		"0123456789abc":                "...3456789abc",
		"log\npanic: of it\nmany more": "\npanic: of"[:10],
	} {
		if got := Tail(in, 10); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
