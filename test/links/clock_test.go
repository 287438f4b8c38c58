// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestClockSteps sets the wall clock an hour forth, two back and an hour forth
// again while requests are served: nothing that joins spans looks at it.
func TestClockSteps(t *testing.T) {
	if os.Getenv("TRACER_LINKS_STEP_CLOCK") == "" {
		t.Skip("it sets the machine's clock: run it by test/links/vm.sh, in a virtual machine")
	}
	s, r := goWorld(t, Work(pause, "seq", "par"))
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block})}
	w.measure(t, Plan("warm", 10, 5, true, r.shape), 1)
	plan := Plan("clock", 3000, 10, true, r.shape)
	driver := &Driver{Addr: w.addr, Connections: 8}
	failed := make(chan error, 1)
	go func() {
		_, err := driver.Send(t.Context(), plan)
		failed <- err
	}()
	for i, by := range []time.Duration{time.Hour, -2 * time.Hour, time.Hour} {
		suite.Poll(t, time.Minute, "requests are answered", func() bool { return driver.Done.Load() >= int64((i+1)*len(plan)/5) })
		stepClock(t, by)
	}
	if err := <-failed; err != nil {
		t.Fatalf("the traffic failed: %.2000s", err)
	}
	score := w.judge(plan)
	report(t, &Row{Runtime: "clock", Concurrency: 8, Score: *score, Bars: exact.bars(8)})
	if score.Missing+score.Extra > 0 {
		t.Errorf("%d spans are missing, %d too many", score.Missing, score.Extra)
	}
	for _, span := range w.agent.sink.Spans() {
		if took := span.End.Sub(span.Start); took < 0 || took > time.Minute {
			t.Errorf("a span from %v to %v", span.Start, span.End)
		}
	}
}

// stepClock sets the wall clock.
func stepClock(t *testing.T, by time.Duration) {
	t.Helper()
	now := unix.NsecToTimespec(time.Now().Add(by).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		t.Fatalf("set the clock: %v", err)
	}
}
