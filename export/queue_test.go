// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueSendsAPartialBatchAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{}
		q := NewQueue(exp, QueueConfig{BatchSpans: 4, BatchDelay: time.Second}, quiet())
		elapse(time.Hour) // an idle queue stays ready
		offer(t, q, "abc")
		elapse(time.Second - 1)
		if got := exp.sent(); got != "" {
			t.Errorf("sent %q before the delay", got)
		}
		elapse(1)
		synctest.Wait()
		if got := exp.sent(); got != "abc" {
			t.Errorf("sent %q after the delay, want abc", got)
		}
		st := closeQueue(t, q)
		if st.Exported != 3 || st.Batches != 1 || exp.shutdowns != 1 {
			t.Errorf("stats %+v, %d shutdowns", st, exp.shutdowns)
		}
	})
}

func TestQueueSendsFullBatchesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{}
		q := NewQueue(exp, QueueConfig{BatchSpans: 3, BatchDelay: time.Hour}, quiet())
		offer(t, q, "abcdefg")
		synctest.Wait()
		if got := exp.sent(); got != "abc def" {
			t.Errorf("sent %q, want full batches only", got)
		}
		closeQueue(t, q)
		if got := exp.sent(); got != "abc def g" {
			t.Errorf("sent %q after close", got)
		}
	})
}

func TestQueueSplitsLargeBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{}
		size := approxSize(&Span{Name: "a"})
		q := NewQueue(exp, QueueConfig{BatchSpans: 10, BatchBytes: 2*size + 1}, quiet())
		offer(t, q, "abcde")
		closeQueue(t, q)
		if got := exp.sent(); got != "ab cd e" {
			t.Errorf("sent %q", got)
		}
	})
}

func TestQueueDropsTheOldestBatchWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		exp := &fakeExporter{answer: func(context.Context, []*Span) error { <-release; return nil }}
		q := NewQueue(exp, QueueConfig{Spans: 6, BatchSpans: 2, BatchDelay: time.Second}, quiet())
		offer(t, q, "ab")
		synctest.Wait() // ab is being sent
		offer(t, q, "cdefgh")
		if st := checkBalance(t, q); st.Len != 8 || st.DroppedTotal() != 0 {
			t.Errorf("full queue: %+v", st)
		}
		offer(t, q, "i") // c and d make room
		st := checkBalance(t, q)
		if st.Dropped[DropQueueFull] != 2 || st.Len != 7 {
			t.Errorf("after the overflow: %+v", st)
		}
		close(release)
		closeQueue(t, q)
		if got := exp.sent(); got != "ab ef gh i" {
			t.Errorf("sent %q", got)
		}
	})
}

func TestQueueIsBoundedByMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		exp := &fakeExporter{answer: func(context.Context, []*Span) error { <-release; return nil }}
		q := NewQueue(exp, QueueConfig{Bytes: 3 * (spanMemory + 100), BatchSpans: 1}, quiet())
		offer(t, q, "a")
		synctest.Wait() // a is being sent
		offer(t, q, "bcd")
		if st := checkBalance(t, q); st.Len != 4 {
			t.Errorf("%d spans fit", st.Len)
		}
		large := GetSpan()
		large.Name = strings.Repeat("x", spanMemory)
		q.Offer(large) // takes the room of two
		if st := checkBalance(t, q); st.Len != 3 || st.Dropped[DropQueueFull] != 2 {
			t.Errorf("after a large span: %+v", st)
		}
		huge := GetSpan()
		huge.Name = strings.Repeat("y", 10*spanMemory)
		q.Offer(huge) // more than all the room: taken alone
		if st := checkBalance(t, q); st.Len != 2 || st.Dropped[DropQueueFull] != 4 {
			t.Errorf("after a huge span: %+v", st)
		}
		close(release)
		if st := closeQueue(t, q); q.ring.bytes != 0 || st.Exported != 2 {
			t.Errorf("%d bytes in an empty queue, stats %+v", q.ring.bytes, st)
		}
	})
}

func TestQueueCountsWhatTheReceiverRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &recorder{}
		exp := &fakeExporter{answer: func(_ context.Context, spans []*Span) error {
			switch spans[0].Name {
			case "a":
				return &PartialError{Rejected: 2, Message: "too old"}
			case "d":
				return errors.New("bad request")
			case "g":
				return &PartialError{Rejected: 99}
			case "j":
				return &PartialError{Message: "only a warning"}
			}
			return nil
		}}
		q := NewQueue(exp, QueueConfig{BatchSpans: 3}, slog.New(log))
		offer(t, q, "abcdefghijkl")
		st := closeQueue(t, q)
		if st.Exported != 1+3 || st.Dropped[DropRejected] != 2+3 || st.Dropped[DropUnretryable] != 3 || st.Retries != 0 {
			t.Errorf("stats %+v", st)
		}
		want := "WARN receiver did not take all spans of a batch, WARN span export is failing, INFO span export has recovered"
		if got := log.text(); got != want {
			t.Errorf("log: %s", got)
		}
	})
}

func TestQueueLogsAFlappingReceiverRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &recorder{}
		exp := &fakeExporter{}
		exp.answer = func(context.Context, []*Span) error {
			if len(exp.calls)%2 == 0 {
				return errors.New("bad request")
			}
			return nil
		}
		q := NewQueue(exp, QueueConfig{BatchSpans: 1}, slog.New(log))
		for range 300 { // five minutes
			offer(t, q, "a")
			elapse(time.Second)
		}
		closeQueue(t, q)
		if n := strings.Count(log.text(), "failing"); n < 4 || n > 6 {
			t.Errorf("failing logged %d times in five minutes", n)
		}
		if f, r := strings.Count(log.text(), "failing"), strings.Count(log.text(), "recovered"); f-r > 1 || r > f {
			t.Errorf("%d failures but %d recoveries logged", f, r)
		}
	})
}

// TestQueueManyProducers runs with real time, for the race detector.
func TestQueueManyProducers(t *testing.T) {
	exp := &fakeExporter{}
	q := NewQueue(exp, QueueConfig{Spans: 300, BatchSpans: 100, BatchDelay: time.Millisecond}, quiet())
	const producers, each = 8, 5000
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for range each {
				s := GetSpan()
				s.Name = "x"
				q.Offer(s)
			}
			checkBalance(t, q)
		})
	}
	wg.Wait()
	st := closeQueue(t, q)
	if st.Offered != producers*each || st.Exported == 0 {
		t.Errorf("stats %+v", st)
	}
	if got := uint64(strings.Count(exp.sent(), "x")); got != st.Exported {
		t.Errorf("%d spans arrived, %d counted", got, st.Exported)
	}
}

func TestOfferDoesNotAllocate(t *testing.T) {
	block := make(chan struct{})
	exp := &fakeExporter{answer: func(context.Context, []*Span) error { <-block; return nil }}
	q := NewQueue(exp, QueueConfig{Spans: 1024, BatchSpans: 128}, quiet())
	defer closeQueue(t, q)
	defer close(block)
	fill := func() { q.Offer(GetSpan()) }
	for range 4096 {
		fill()
	}
	if n := testing.AllocsPerRun(4096, fill); n != 0 {
		t.Errorf("%v allocations per offered span", n)
	}
}

func TestPoolReturnsZeroedSpans(t *testing.T) {
	s := exampleSpan(1)
	s.Links = append(s.Links, Link{TraceState: "x"})
	attrs := s.Attrs
	s.reset()
	if s.Name != "" || len(s.Attrs) != 0 || len(s.Links) != 0 || s.TraceID.IsValid() || s.Start != 0 {
		t.Errorf("reset left %+v", s)
	}
	if cap(s.Attrs) != cap(attrs) || attrs[0].Key != "" {
		t.Error("reset must keep the slice and let its strings go")
	}
}

func TestDropReasonNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range NumDropReasons {
		seen[r.String()] = true
	}
	if len(seen) != int(NumDropReasons) || seen["unknown"] || !seen["queue_full"] {
		t.Errorf("names %v", seen)
	}
}
