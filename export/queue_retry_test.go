// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

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
