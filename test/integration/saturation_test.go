// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestExactAtSaturation overruns a ring of 64 KiB and requires that the spans
// received and the counted drops add up to the requests that nginx counted:
// nothing is lost in silence, nothing is told or counted twice.
func TestExactAtSaturation(t *testing.T) {
	cases := []struct {
		name  string
		pause bool // stop the agent for a while, so that the ring is full for certain
	}{
		{"as fast as it goes", false},
		{"while nobody reads the ring", true},
	}
	for _, sc := range cases {
		t.Run(sc.name, func(t *testing.T) {
			block := suite.NewPorts(t)
			a := startAgent(t, agentOptions{args: []string{"--port", block.Selector()}, env: []string{"TRACER_AGENT_KERNEL_RING_BYTES=65536"}})
			s := startNginx(t, "nginx", block.Take(t))
			if sc.pause && !trafficOnly() {
				go a.interrupt(300*time.Millisecond, 200*time.Millisecond)
			}
			r := saturate(t, s, 0)
			a.settled(t) // the next request finds room in the ring
			wire := s.served(t)
			s.Stop() // its connections end, and with them what waits for an answer
			books := a.settled(t)
			if sc.pause && books.lost() == 0 {
				t.Error("nothing was lost, so nothing is proved")
			}
			a.verifyExact(t, r, wire, books)
		})
	}
}

// TestNoDropsAtHalfLoad finds out how fast nginx answers under the agent and
// then asks for half of that: nothing may be lost. It is half only while the machine
// has processor time to spare; beside other work both rates are found anew.
func TestNoDropsAtHalfLoad(t *testing.T) {
	block := suite.NewPorts(t)
	a := startAgent(t, agentOptions{args: []string{"--port", block.Selector()}})
	s := startNginx(t, "nginx", block.Take(t))
	var half wrkRun
	for tries := 1; ; tries++ {
		full := saturate(t, s, 0)
		before, spare := a.settled(t), idleTime(t)
		half = saturate(t, s, time.Second*wrkConnections/time.Duration(full.answered)) // as long as an answer takes
		spare = idleTime(t) - spare
		lost := a.settled(t).lost() - before.lost()
		t.Logf("%d requests in a second at most, then %d, with %s of the processors to spare", full.answered, half.answered, spare)
		if spare >= 300*time.Millisecond && 3*half.answered <= 2*full.answered {
			if lost != 0 {
				t.Errorf("%v of %d requests were lost at half of what the server can do", lost, half.answered)
			}
			break
		}
		if tries == 4 {
			t.Skip("the machine is busy with other work: half of what the server can do is all that is left")
		}
	}
	wire := s.served(t)
	s.Stop()
	a.verifyExact(t, half, wire, a.settled(t))
}

// idleTime is how long this machine's processors have been idle, in sum.
func idleTime(t *testing.T) time.Duration {
	t.Helper()
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	var user, nice, system, idle int64
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d %d", &user, &nice, &system, &idle); err != nil {
		t.Fatalf("/proc/stat: %v", err)
	}
	return time.Duration(idle) * time.Second / 100 // USER_HZ
}

// saturate runs wrk against s; pause as for wrk.
func saturate(t *testing.T, s *server, pause time.Duration) wrkRun {
	t.Helper()
	r := wrkRun{name: s.name, trace: newID(16), prefix: newID(4)}
	r.answered = wrk(t, "/usr/bin/wrk", fmt.Sprintf("http://127.0.0.1:%d/ok", s.port), r.trace, r.prefix, pause)
	return r
}

// served asks nginx how many requests it has taken, this one included.
func (s *server) served(t *testing.T) int {
	t.Helper()
	conn := s.dial(t, "")
	defer conn.Close()
	r := &request{target: "/requests", root: true}
	conn.write(t, r)
	rep := conn.read(t, r)
	found := regexp.MustCompile(`\n \d+ \d+ (\d+) \n`).FindStringSubmatch(rep.body)
	if found == nil {
		t.Fatalf("nginx's status: %d, %q", rep.status, rep.body)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// interrupt stops the agent for a while, after a while.
func (a *agent) interrupt(after, length time.Duration) {
	<-time.After(after)
	_ = syscall.Kill(a.PID(), syscall.SIGSTOP)
	<-time.After(length)
	_ = syscall.Kill(a.PID(), syscall.SIGCONT)
}

// settled waits until the agent's counters stand still and returns them.
func (a *agent) settled(t *testing.T) accounts {
	t.Helper()
	if trafficOnly() {
		return accounts{}
	}
	last, since := a.accounts(t), time.Now()
	suite.Poll(t, 10*time.Second, "the agent's counters stand still", func() bool {
		now := a.accounts(t)
		if now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
	return last
}

// verifyExact requires that spans and drops add up to wire requests, and that no
// span of r came twice.
func (a *agent) verifyExact(t *testing.T, r wrkRun, wire int, books accounts) {
	t.Helper()
	if trafficOnly() {
		t.Skip("TRACER_AGENT=off: wrk was answered, no agent was tested")
	}
	metrics := nonzero(a.scrape(t))
	a.shutdown(t)
	books.check(t)
	spans := a.sink.Spans()
	t.Logf("%d requests: %d spans, %v lost in the ring, %v dropped later, %v unsent", wire, len(spans), books.ring, books.dropped, books.unsent)
	// Where the ring lost the end of a connection too, its last request stays open.
	if got := len(spans) + int(books.lost()+books.open); got != wire || books.open > wrkConnections {
		t.Errorf("%d requests on the wire, but %d spans + %v counted drops + %v open = %d (%+d)",
			wire, len(spans), books.lost(), books.open, got, got-wire)
	}
	seen := map[string]bool{}
	for i := range spans {
		sp := &spans[i]
		if sp.TraceID != r.trace {
			continue
		}
		if seen[sp.Parent] || !strings.HasPrefix(sp.Parent, r.prefix) {
			t.Fatalf("twice, or not wrk's: %s", sp)
		}
		seen[sp.Parent] = true
	}
	if t.Failed() {
		t.Logf("the agent's metrics before it was stopped:\n%s", metrics)
	}
}
