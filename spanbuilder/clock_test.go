// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	c, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	wall := c.Wall(Monotonic())
	after := time.Now()
	// Between the two readings the process may be preempted, and the wall clock slewed.
	const slack = 50 * time.Millisecond
	if got := time.Unix(0, wall); got.Before(before.Add(-slack)) || got.After(after.Add(slack)) {
		t.Errorf("now is %v, want between %v and %v", got, before, after)
	}
}

// TestClockStep: a step of the wall clock within an exchange does not change its duration.
func TestClockStep(t *testing.T) {
	b, out := testBuilder(t, Config{})
	exchange(b, &Exchange{Server: true, ReqStart: 1000, End: 5000}, "GET / HTTP/1.1\r\n\r\n", okHead)
	b.clock.offset -= int64(time.Hour) // as Sync finds it after the step
	exchange(b, &Exchange{Server: true, ReqStart: 6000, End: 9000}, "GET / HTTP/1.1\r\n\r\n", okHead)
	first, second := (*out)[0], (*out)[1]
	if first.End-first.Start != 4000 || second.End-second.Start != 3000 {
		t.Errorf("durations %d and %d, want 4000 and 3000", first.End-first.Start, second.End-second.Start)
	}
	if step := first.Start - second.Start; step != int64(time.Hour)-5000 {
		t.Errorf("the second began %d ns before the first, want an hour less 5 µs", step)
	}
}

// TestEndBeforeStart: times that contradict each other give an empty span, not a negative one.
func TestEndBeforeStart(t *testing.T) {
	b, out := testBuilder(t, Config{})
	exchange(b, &Exchange{Server: true, ReqStart: 5000, End: 1000}, "GET / HTTP/1.1\r\n\r\n", okHead)
	if s := (*out)[0]; s.End != s.Start {
		t.Errorf("from %d to %d", s.Start, s.End)
	}
}
