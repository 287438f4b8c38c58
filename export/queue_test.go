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

// elapse lets d pass on the fake clock of a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }

// fakeExporter answers each Export by its function, if it has one, and records
// what arrived.
type fakeExporter struct {
	answer func(ctx context.Context, spans []*Span) error

	mu        sync.Mutex
	calls     []time.Time
	batches   [][]string // names of the spans of batches that were answered with nil
	shutdowns int
}

func (e *fakeExporter) Export(ctx context.Context, spans []*Span) error {
	e.mu.Lock()
	e.calls = append(e.calls, time.Now())
	e.mu.Unlock()
	if e.answer != nil {
		if err := e.answer(ctx, spans); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, s := range spans {
		names = append(names, s.Name)
	}
	e.batches = append(e.batches, names)
	return nil
}

func (e *fakeExporter) Shutdown(context.Context) error {
	e.shutdowns++
	return nil
}

func (e *fakeExporter) sent() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b strings.Builder
	for i, batch := range e.batches {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.Join(batch, ""))
	}
	return b.String()
}

// offer offers one span per letter.
func offer(t *testing.T, q *Queue, letters string) {
	t.Helper()
	for _, c := range letters {
		s := GetSpan()
		s.Name = string(c)
		if !q.Offer(s) {
			t.Errorf("offer of %c refused", c)
		}
		checkBalance(t, q)
	}
}

func checkBalance(t *testing.T, q *Queue) QueueStats {
	t.Helper()
	st := q.Stats()
	if st.Offered != st.Exported+st.DroppedTotal()+uint64(st.Len) {
		t.Errorf("offered %d != exported %d + dropped %v + waiting %d", st.Offered, st.Exported, st.Dropped, st.Len)
	}
	return st
}

func closeQueue(t *testing.T, q *Queue) QueueStats {
	t.Helper()
	if err := q.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
	st := checkBalance(t, q)
	if st.Len != 0 {
		t.Errorf("%d spans left after close", st.Len)
	}
	return st
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

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

func TestQueueRetriesUntilTheReceiverIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &recorder{}
		exp := &fakeExporter{}
		back := time.Now().Add(30 * time.Second)
		exp.answer = func(context.Context, []*Span) error {
			if time.Now().Before(back) {
				return &RetryableError{Err: errors.New("connection refused")}
			}
			return nil
		}
		q := NewQueue(exp, QueueConfig{BatchSpans: 2, RetryInitial: time.Second, RetryMax: 4 * time.Second}, slog.New(log))
		offer(t, q, "abcd")
		elapse(time.Minute)
		st := closeQueue(t, q)
		if got := exp.sent(); got != "ab cd" || st.Exported != 4 || st.DroppedTotal() != 0 {
			t.Errorf("sent %q, stats %+v", got, st)
		}
		if n := uint64(len(exp.calls)); st.Retries != n-2 || n < 8 || n > 20 {
			t.Errorf("%d calls, %d retries", n, st.Retries)
		}
		checkWaits(t, exp.calls[:st.Retries+1], time.Second, 4*time.Second)
		if got := log.text(); got != "WARN span export is failing, INFO span export has recovered" {
			t.Errorf("log: %s", got)
		}
	})
}

// checkWaits checks that the waits between calls double with at most half of
// jitter.
func checkWaits(t *testing.T, calls []time.Time, step, limit time.Duration) {
	t.Helper()
	for i := 1; i < len(calls); i++ {
		wait := calls[i].Sub(calls[i-1])
		if wait < step/2 || wait > step {
			t.Errorf("wait %d is %v, want %v to %v", i, wait, step/2, step)
		}
		step = min(2*step, limit)
	}
}

func TestQueueHonoursTheReceiversWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{}
		exp.answer = func(context.Context, []*Span) error {
			if len(exp.calls) == 1 {
				return &RetryableError{Err: errors.New("busy"), After: 42 * time.Second}
			}
			return nil
		}
		q := NewQueue(exp, QueueConfig{}, quiet())
		offer(t, q, "a")
		elapse(time.Minute)
		closeQueue(t, q)
		if len(exp.calls) != 2 || exp.calls[1].Sub(exp.calls[0]) != 42*time.Second {
			t.Errorf("calls at %v", exp.calls)
		}
	})
}

func TestQueueGivesABatchUpAfterMaxRetryElapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{answer: func(_ context.Context, spans []*Span) error {
			if spans[0].Name == "a" {
				return &RetryableError{Err: errors.New("no"), After: time.Hour}
			}
			return nil
		}}
		q := NewQueue(exp, QueueConfig{BatchSpans: 2, MaxRetryElapsed: time.Minute}, quiet())
		offer(t, q, "abcd")
		elapse(time.Minute + time.Second)
		st := checkBalance(t, q)
		if st.Dropped[DropRetryExhausted] != 2 || exp.sent() != "cd" {
			t.Errorf("sent %q, stats %+v", exp.sent(), st)
		}
		if len(exp.calls) != 3 {
			t.Errorf("%d calls, want one retry of ab, then cd", len(exp.calls))
		}
		closeQueue(t, q)
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

func TestQueueLimitsAHangingAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{}
		exp.answer = func(ctx context.Context, _ []*Span) error {
			if len(exp.calls) > 1 {
				return nil
			}
			<-ctx.Done()
			return &RetryableError{Err: ctx.Err()}
		}
		q := NewQueue(exp, QueueConfig{ExportTimeout: 10 * time.Second}, quiet())
		offer(t, q, "a")
		elapse(time.Minute)
		st := closeQueue(t, q)
		if st.Exported != 1 || st.Retries != 1 {
			t.Errorf("stats %+v", st)
		}
		if d := exp.calls[1].Sub(exp.calls[0]); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("second attempt after %v", d)
		}
	})
}

func TestQueueCloseCountsWhatTheDeadlineLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{answer: func(ctx context.Context, _ []*Span) error {
			<-ctx.Done()
			return &RetryableError{Err: ctx.Err()}
		}}
		q := NewQueue(exp, QueueConfig{BatchSpans: 2, ExportTimeout: time.Hour}, quiet())
		offer(t, q, "abcde")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := q.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "5 left") {
			t.Errorf("close: %v", err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("close took %v", d)
		}
		st := checkBalance(t, q)
		if st.Dropped[DropShutdown] != 5 || st.Len != 0 || exp.shutdowns != 1 {
			t.Errorf("stats %+v, %d shutdowns", st, exp.shutdowns)
		}
		if q.Offer(GetSpan()) {
			t.Error("offer after close succeeded")
		}
		if st := checkBalance(t, q); st.Dropped[DropShutdown] != 6 {
			t.Errorf("stats after a late offer %+v", st)
		}
		if err := q.Close(context.Background()); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

func TestQueueCloseLeavesAnExporterThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		exp := &fakeExporter{answer: func(context.Context, []*Span) error { <-release; return nil }}
		q := NewQueue(exp, QueueConfig{BatchSpans: 2}, quiet())
		offer(t, q, "abc")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := q.Close(ctx); err == nil || !strings.Contains(err.Error(), "did not return") {
			t.Errorf("close: %v", err)
		}
		if st := checkBalance(t, q); st.Dropped[DropShutdown] != 3 || exp.shutdowns != 0 {
			t.Errorf("stats %+v, %d shutdowns", st, exp.shutdowns)
		}
		close(release)
		synctest.Wait()
		if st := checkBalance(t, q); st.Exported != 0 {
			t.Errorf("spans counted twice: %+v", st)
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
	// The pool may be emptied by a garbage collection: allow a few.
	if n := testing.AllocsPerRun(4096, fill); n > 0.1 {
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

// recorder is a slog.Handler that keeps levels and messages.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }
func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, rec.Level.String()+" "+rec.Message)
	return nil
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, ", ")
}
