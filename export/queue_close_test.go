// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
