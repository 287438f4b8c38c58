// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
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
