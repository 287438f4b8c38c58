// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// goWorld is the site of a Go service that was built by the toolchain at hand.
func goWorld(t *testing.T, shape Shape) (*site, subject) {
	t.Helper()
	r := subject{name: "go", kind: exact, shape: shape, start: goService(goBuild{cgo: "0"})}
	s := newSite(t)
	r.start(t, s)
	return s, r
}

// TestRestart ends the agent and starts it again while requests flow on
// connections that outlive it. What was wholly inside a period in which an
// agent was ready must be a whole tree; no link may be wrong at any time.
func TestRestart(t *testing.T) {
	s, r := goWorld(t, Work(pause, "seq", "par"))
	sink := newSink(t)
	plan := Plan("r", 16000, 20, true, r.shape)
	driver := &Driver{Addr: s.addr, Connections: 8}
	var sent []Sent
	var failed error
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		sent, failed = driver.Send(t.Context(), plan)
	}()
	answered := func(n int64) {
		target := min(driver.Done.Load()+n, int64(len(plan)))
		suite.Poll(t, time.Minute, "requests are answered", func() bool { return driver.Done.Load() >= target })
	}

	type window struct{ from, to time.Time }
	var windows []window
	answered(100)
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		a := startAgent(t, sink, agentOptions{block: s.block})
		answered(64) // connections that were open are traced from their next message on
		w := window{from: time.Now()}
		answered(1200)
		w.to = time.Now()
		if end == syscall.SIGTERM {
			a.shutdown(t)
			windows = append(windows, w)
		} else { // what it had not exported yet is lost, so nothing is certain
			_ = a.Cmd.Process.Kill()
			<-a.Exited()
		}
		answered(100)
	}
	<-finished
	if failed != nil {
		t.Fatalf("an application noticed: %.2000s", failed)
	}

	for _, w := range windows {
		var certain []Request
		for i, at := range sent {
			if at.Start.After(w.from) && at.End.Before(w.to) {
				certain = append(certain, plan[i])
			}
		}
		if len(certain) < 750 {
			t.Fatalf("only %d requests fell into a certain period", len(certain))
		}
		report(t, &Row{Runtime: "certain", Concurrency: 8, Score: *Judge(certain, await(sink, certain)), Bars: r.kind.bars(8)})
	}
	checkWrong(t, Judge(plan, sink.Spans()))
}

// checkWrong fails if more than one in a thousand links is wrong. A parent that
// was not received is not a wrong one.
func checkWrong(t *testing.T, s *Score) {
	t.Helper()
	for kind, tally := range map[string]Tally{"calls": s.Calls, "exchanges": s.Exchanges} {
		wrong := tally.Claimed - tally.Right - tally.Dangling
		t.Logf("%s: %d expected, %d claimed, %d right, %d with a parent that was not received", kind, tally.Expected, tally.Claimed, tally.Right, tally.Dangling)
		if wrong*1000 > tally.Claimed {
			t.Errorf("%d of %d links of %s are wrong", wrong, tally.Claimed, kind)
		}
	}
	if t.Failed() {
		for _, line := range s.Mistakes {
			t.Log(line)
		}
	}
}
