// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/tracer-agent/tracer-agent/test/rig"
)

// kernelFaults are shortages on the way from the kernel to the exporter.
func kernelFaults() []fault {
	all := []fault{
		{name: "ring buffer of 64 KiB at full speed", play: smallRing},
		{name: "agent stopped for two seconds at full speed (SIGSTOP)", play: frozen},
		{name: "2,000 busy connections, room for 64", play: fewConnections},
		{name: "100 busy processes, room for 16", play: fewProcesses},
		{name: "thousands of processes start and end", play: churn},
		{name: "tens of thousands of connections", maxMemory: 256 << 20, play: manyConnections},
		{name: "64 MiB of memory and little of a processor (cgroup)", play: starved},
	}
	for i := range all {
		all[i].everyBackend = true
	}
	return all
}

// flood sends as many requests as there can be.
func (s *stage) flood(addr string, d time.Duration) {
	s.clients.add(load(addr, 16, 0, time.After(d)))
}

func smallRing(s *stage, o *outcome) error {
	return s.overrun(o, []string{"TRACER_AGENT_KERNEL_RING_BYTES=65536"}, func() {})
}

func frozen(s *stage, o *outcome) error {
	return s.overrun(o, []string{"TRACER_AGENT_KERNEL_RING_BYTES=1048576"}, func() {
		s.agent.Signal(syscall.SIGSTOP)
		time.Sleep(2 * time.Second)
		s.agent.Signal(syscall.SIGCONT)
	})
}

// overrun floods the ring while meanwhile runs.
func (s *stage) overrun(o *outcome, env []string, meanwhile func()) error {
	addr, err := s.web()
	if err != nil {
		return err
	}
	if err := s.trace(nil, env, addr); err != nil {
		return err
	}
	var flood sync.WaitGroup
	flood.Go(func() { s.flood(addr, 3*time.Second) })
	meanwhile()
	flood.Wait()
	metrics, err := s.require(o)
	if err != nil {
		return err
	}
	if metrics[lostRecords+`{reason="data_ring_full"}`] == 0 {
		s.problemf("no record was lost, so nothing is proved")
	}
	return nil
}

// fewConnections sends a request on each of 2,000 connections in turn, thrice.
func fewConnections(s *stage, o *outcome) error {
	addr, err := s.web()
	if err != nil {
		return err
	}
	if err := s.trace(nil, []string{"TRACER_AGENT_KERNEL_MAX_CONNECTIONS=64"}, addr); err != nil {
		return err
	}
	const connections = 2000
	members := make([]*client, connections)
	for i := range members {
		if members[i], err = dial(addr); err != nil {
			return err
		}
		defer members[i].conn.Close()
	}
	for range 3 {
		s.clients.add(inParallel(connections, func(i int) count { return members[i].ask(i) }))
	}
	metrics, err := s.require(o)
	if err != nil {
		return err
	}
	s.notef("%.0f times a kernel map was full", metrics[mapFull+`{map="connections"}`])
	if open := metrics["tracer_agent_connections"]; open > 64 {
		s.problemf("the agent keeps %.0f connections, 64 are allowed", open)
	}
	return nil
}

// fewProcesses keeps 100 forked children of a selected server busy at a time.
// Children that find no room are not traced at all, which is counted.
func fewProcesses(s *stage, o *outcome) error {
	addr, err := s.forking()
	if err != nil {
		return err
	}
	if err := s.trace(nil, []string{"TRACER_AGENT_KERNEL_MAX_PROCESSES=16"}, addr); err != nil {
		return err
	}
	s.clients.add(load(addr, 100, 400, time.After(4*time.Second)))
	metrics, err := s.settle()
	if err != nil {
		return err
	}
	o.books, o.spans = readBooks(metrics), s.collector.spans()
	refused := metrics[mapFull+`{map="verdicts"}`] + metrics[processLimit]
	s.notef("%.0f processes found no room and were not traced; %d requests were theirs", refused, int(s.clients.Sent)-o.spans-int(o.books.dropped()))
	if refused == 0 {
		s.problemf("no map was full, so nothing is proved")
	}
	if o.spans == 0 || o.spans >= int(s.clients.Sent) {
		s.problemf("%d spans of %d requests", o.spans, s.clients.Sent)
	}
	return nil
}

// churn has a server fork a process for each of its connections while as many
// programs, which are not selected, start and end.
func churn(s *stage, o *outcome) error {
	addr, err := s.forking()
	if err != nil {
		return err
	}
	if err := s.trace(nil, nil, addr); err != nil {
		return err
	}
	rate := float64(s.processes) / s.settings.churn.Seconds()
	var programs sync.WaitGroup
	var failed error
	programs.Go(func() { failed = runPrograms(s.processes, rate) })
	s.clients.add(each(addr, s.processes, 16, rate))
	programs.Wait()
	if failed != nil {
		return failed
	}
	metrics, err := s.require(o)
	if err != nil {
		return err
	}
	s.notef("%d processes forked, %d programs executed", s.processes, s.processes)
	if lost := metrics[lostRecords+`{reason="control_ring_full"}`]; lost > 0 {
		s.notef("%.0f process events lost, counted", lost)
	}
	if n := metrics[`tracer_agent_processes{verdict="selected"}`]; n > 200 {
		s.problemf("%.0f processes are still selected", n)
	}
	return nil
}

// runPrograms runs true n times, rate a second.
func runPrograms(n int, rate float64) error {
	start := time.Now()
	for i := range n {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		if err := exec.Command("/bin/true").Run(); err != nil {
			return fmt.Errorf("run a program: %w", err)
		}
	}
	return nil
}

// perProcess is how many connections one process of the crowd has: below the
// usual limits of files, and of ports to one address.
const perProcess = 16_000

// manyConnections opens them with a request on each, sends another on each once
// all are open, and closes them.
func manyConnections(s *stage, o *outcome) error {
	parts := (s.connections + perProcess - 1) / perProcess
	var addrs []string
	var crowds []*rig.Process
	for range parts {
		addr, err := s.web()
		if err != nil {
			return err
		}
		addrs = append(addrs, addr)
	}
	if err := s.trace(nil, nil, addrs...); err != nil {
		return err
	}
	lines := make(chan string, 2*parts)
	for i, addr := range addrs {
		command := fmt.Sprintf("%s crowd %s %d", s.self, addr, (s.connections+i)/parts)
		p, err := rig.Start(s.dir, fmt.Sprintf("crowd-%d", i), command, nil, func(line string) { lines <- line })
		if err != nil {
			return err
		}
		defer p.Stop()
		crowds = append(crowds, p)
	}
	if err := s.askTwice(crowds, lines); err != nil {
		return err
	}
	metrics, err := s.require(o)
	if err != nil {
		return err
	}
	s.notef("%.0f connections open at once", metrics["tracer_agent_connections"])
	if int(s.clients.Opened) != s.connections {
		s.problemf("only %d connections were opened", s.clients.Opened)
	}
	return nil
}

// askTwice waits until all connections are open, has a second request sent on
// each, and takes the counts.
func (s *stage) askTwice(crowds []*rig.Process, lines <-chan string) error {
	if err := s.awaitCrowd(lines, len(crowds), func(string) error { return nil }); err != nil {
		return err
	}
	for _, p := range crowds {
		p.Signal(syscall.SIGUSR1)
	}
	return s.awaitCrowd(lines, len(crowds), func(line string) error {
		var n count
		err := json.Unmarshal([]byte(line), &n)
		s.clients.add(n)
		return err
	})
}

// awaitCrowd waits for a line of each process.
func (s *stage) awaitCrowd(lines <-chan string, n int, handle func(string) error) error {
	limit := time.After(5 * time.Minute)
	for range n {
		select {
		case line := <-lines:
			if err := handle(line); err != nil {
				return fmt.Errorf("the crowd says %q: %w", line, err)
			}
		case <-s.agent.Ended():
			return fmt.Errorf("the agent ended: %w", s.agent.Outcome())
		case <-limit:
			return fmt.Errorf("the crowd says nothing")
		}
	}
	return nil
}

// starved gives the agent little of everything from its start on.
func starved(s *stage, o *outcome) error {
	group, err := rig.NewCgroup(fmt.Sprintf("tracer-chaos-%d-%s", os.Getpid(), filepath.Base(s.dir)), 64<<20, s.percent)
	if err != nil {
		return err
	}
	defer group.Remove()
	defer func() { // before the group is removed
		if s.agent != nil {
			s.finishAgent(o)
			s.agent = nil
		}
	}()
	addr, err := s.web()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := s.trace(group, nil, addr); err != nil {
		return err
	}
	s.notef("ready after %.0f s", time.Since(begin).Seconds())
	s.load(addr, 5*time.Second)
	s.flood(addr, 3*time.Second)
	s.load(addr, 5*time.Second)
	if _, err := s.require(o); err != nil {
		return err
	}
	memory, throttled := group.Usage()
	s.notef("with %d %% of a processor held up %d times, %d MB of 64 in use", s.percent, throttled, memory>>20)
	if throttled == 0 {
		s.problemf("it was never held up, so nothing is proved")
	}
	return nil
}
