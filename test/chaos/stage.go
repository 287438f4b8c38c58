// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tracer-agent/tracer-agent/test/rig"
)

// Limits of what an agent in trouble may take.
const (
	readyLimit  = 3 * time.Minute // with a twentieth of a processor, too
	settleLimit = 90 * time.Second
	stillFor    = time.Second
)

// stage is one trial under way: applications, agent and collector.
type stage struct {
	settings
	fault     fault
	backend   string
	protocol  string
	collector *collector
	log       *rig.KernelLog
	agent     *rig.Agent
	servers   []*rig.Process
	clients   count
	notes     []string
	problems  []string
}

func (s *stage) problemf(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func (s *stage) notef(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// open prepares what every trial has.
func (s *stage) open() (err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if s.log, err = rig.OpenKernelLog(); err != nil {
		return err
	}
	s.collector, err = newCollector(s.protocol)
	return err
}

func (s *stage) close() {
	if s.agent != nil {
		s.agent.Kill()
	}
	for _, p := range s.servers {
		p.Kill()
	}
	if s.collector != nil {
		s.collector.shut()
	}
	if s.log != nil {
		_ = s.log.Close()
	}
}

// serve starts a server; command has %d for the port. It returns its address.
func (s *stage) serve(command string) (addr string, err error) {
	port, err := rig.FreePort()
	if err != nil {
		return "", err
	}
	p, err := rig.Start(s.dir, fmt.Sprintf("server-%d", len(s.servers)), fmt.Sprintf(command, port), nil, nil)
	if err != nil {
		return "", err
	}
	s.servers = append(s.servers, p)
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return addr, conn.Close()
		}
	}
	return "", fmt.Errorf("%s does not listen", p.Label)
}

// web starts the usual server.
func (s *stage) web() (addr string, err error) { return s.serve(s.self + " serve 127.0.0.1:%d") }

// forking starts a server with a process for every connection.
func (s *stage) forking() (addr string, err error) {
	file := filepath.Join(s.dir, "forking.py")
	if err := os.WriteFile(file, []byte(forkingServer), 0o644); err != nil {
		return "", err
	}
	return s.serve("python3 " + file + " %d")
}

// trace starts the agent for servers at addrs and waits until it captures. env
// are further variables; group may be nil.
func (s *stage) trace(group *rig.Cgroup, env []string, addrs ...string) (err error) {
	args := "--backend " + s.backend
	for _, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		args += " --port " + port
	}
	wrap := ""
	if group != nil {
		wrap = group.Wrap()
	}
	env = append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.collector.url(), "OTEL_EXPORTER_OTLP_PROTOCOL=" + s.protocol}, env...)
	if s.agent, err = rig.StartAgent(s.dir, "agent", s.settings.agent, args, wrap, env); err != nil {
		return err
	}
	return s.agent.AwaitReady(readyLimit)
}

// load keeps eight connections busy with 300 requests a second.
func (s *stage) load(addr string, d time.Duration) {
	s.clients.add(load(addr, 8, 300, time.After(d)))
}

// settle waits until the agent has nothing left to do, and returns its metrics.
func (s *stage) settle() (rig.Metrics, error) {
	var last books
	since := time.Now()
	var metrics rig.Metrics
	var err error
	for deadline := time.Now().Add(settleLimit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if !s.agent.Running() {
			return nil, fmt.Errorf("the agent ended: %w", errors.Join(s.agent.Outcome(), errors.New("see its log")))
		}
		if metrics, err = s.agent.Metrics(); err != nil {
			continue // it may be starved; the deadline bounds that
		}
		now := readBooks(metrics)
		if !now.equal(last) || now.queued > 0 {
			last, since = now, time.Now()
		}
		if time.Since(since) > stillFor {
			return metrics, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return metrics, fmt.Errorf("not settled after %s: %v spans are queued", settleLimit, last.queued)
}

// require settles and compares requests, spans and drops. It fills the outcome.
func (s *stage) require(o *outcome) (rig.Metrics, error) {
	metrics, err := s.settle()
	if err != nil {
		return metrics, err
	}
	o.books = readBooks(metrics)
	o.spans = s.collector.spans()
	o.uncounted = int(s.clients.Sent) - o.spans - int(o.books.dropped()) - int(o.books.open)
	if o.uncounted != 0 {
		s.problemf("%d requests are neither spans nor counted drops", o.uncounted)
	}
	if int(o.books.exported) != o.spans {
		s.problemf("the agent says that %.0f spans were taken, the collector took %d", o.books.exported, o.spans)
	}
	if s.collector.repeated > 0 || s.collector.strange > 0 {
		s.problemf("%d spans came twice, %d are not of kind SERVER", s.collector.repeated, s.collector.strange)
	}
	return metrics, nil
}

// finish ends the agent in order and looks at what everybody else noticed.
func (s *stage) finish(o *outcome) {
	o.requests, o.wrong = int(s.clients.Sent), int(s.clients.Wrong)
	if s.agent != nil {
		s.finishAgent(o)
	}
	if o.wrong > 0 {
		s.problemf("applications saw %d errors: %s", o.wrong, s.clients.First)
	}
	if o.requests == 0 {
		s.problemf("no request was made")
	}
	for _, p := range s.servers {
		if !p.Running() {
			s.problemf("%s ended: %v", p.Label, p.Outcome())
		}
	}
	if messages, err := s.log.Trouble(); err != nil || len(messages) > 0 {
		s.problemf("the kernel's log: %v %s", err, strings.Join(messages, "; "))
	}
	o.notes, o.problems = s.notes, s.problems
}

func (s *stage) finishAgent(o *outcome) {
	if _, peak := s.agent.Memory(); peak > 0 {
		o.peak = peak
	}
	if o.peak > s.fault.memory() {
		s.problemf("the agent took %d MB, at most %d are allowed", o.peak>>20, s.fault.memory()>>20)
	}
	if s.fault.ends {
		return
	}
	if !s.agent.Running() {
		s.problemf("the agent ended by itself: %v", s.agent.Outcome())
		return
	}
	if took := s.agent.Stop(); s.agent.Outcome() != nil {
		s.problemf("the agent did not end in order: %v after %s", s.agent.Outcome(), took)
	}
}
