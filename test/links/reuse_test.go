// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestReusedPorts makes calls from eight local ports that are used again and
// again, so that new connections have the addresses of earlier ones.
func TestReusedPorts(t *testing.T) {
	build := goBuild{cgo: "0"}
	r := &subject{name: "go", kind: exact, shape: Work(pause, "ports"), start: func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		s.env = append(s.env, fmt.Sprintf("LOCAL_PORT=%d", s.block.Reserve(t, 8)))
		return s.run(t, "goservice", exec.Command(build.build(t, s.dir), s.args()...))
	}}
	w := newWorld(t, r, agentOptions{})
	report(t, &Row{Runtime: r.name, Concurrency: 8, Score: *w.measure(t, Plan("p", 1000, 2, true, r.shape), 8), Bars: r.kind.bars(8)})
}

// TestReusedPIDs runs a service again and again under one process id, with
// programs of different kinds, while the agent runs.
func TestReusedPIDs(t *testing.T) {
	s := newSite(t)
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block})}
	modern := goBuild{cgo: "0"}.build(t, s.dir)
	generations := []func() *exec.Cmd{
		func() *exec.Cmd { return exec.Command(modern, s.args()...) },
		func() *exec.Cmd {
			return s.withLeaves(exec.Command("/usr/bin/python3", "-B", file(t, "apps/threads.py"), s.port(t)))
		},
		func() *exec.Cmd { return exec.Command(modern, s.args()...) },
	}
	shape := Work(pause, "seq")
	pid := 0
	for i, command := range generations {
		var p *suite.Process
		if pid == 0 {
			p = suite.Launch(t, "service", command())
		} else {
			p = launchAs(t, pid, command)
		}
		pid = p.PID()
		suite.WaitListening(t, p, "tcp", s.addr)
		w.measure(t, Plan(fmt.Sprintf("warm%d", i), 10, 5, true, shape), 1) // the agent gets to know the program
		plan := Plan(fmt.Sprintf("g%d", i), 300, 5, true, shape)
		report(t, &Row{Runtime: "generation", Concurrency: 8, Score: *w.measure(t, plan, 8), Bars: exact.bars(8)})
		p.Stop()
	}
}

// launchAs starts a command under a process id that is free, by telling the
// kernel the last one that it gave. Others may be faster, so it tries again.
func launchAs(t *testing.T, pid int, command func() *exec.Cmd) *suite.Process {
	t.Helper()
	for range 200 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0o644); err != nil {
			t.Fatalf("choose a process id: %v", err)
		}
		cmd := command()
		p := suite.Launch(t, strings.Join(cmd.Args, " "), cmd)
		if cmd.Process.Pid == pid {
			return p
		}
		p.Stop()
	}
	t.Fatalf("process id %d was not to be had", pid)
	return nil
}
