// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

const (
	textHold    = 500 * time.Millisecond // how long a trace is collected before it is printed
	maxTextHeld = 4096                   // spans held; beyond it the oldest traces are printed early
)

// textExporter collects the spans of a trace for a short time and prints them
// as a tree.
type textExporter struct {
	w   io.Writer
	loc *time.Location

	mu     sync.Mutex
	traces map[trace.TraceID]*textTrace
	queue  []*textTrace // in order of due
	spans  int          // in traces
	timer  *time.Timer  // runs while queue is not empty
	buf    []byte
	err    error // of a write that no call of Export saw
}

// NewText returns an exporter that prints spans to w for people to read: one
// line per span, the spans of a trace together and indented below their
// parents, in local time. A trace is held for half a second after its first
// span so that its parts find each other; a span whose parent is not among
// them is printed as a root that names its parent.
//
// Writes come from Export, from Shutdown and from a timer's goroutine, one at a
// time. What came from the network is escaped so that it cannot control a terminal.
func NewText(w io.Writer) Exporter { return newText(w, time.Local) }

func newText(w io.Writer, loc *time.Location) *textExporter {
	return &textExporter{w: w, loc: loc, traces: make(map[trace.TraceID]*textTrace)}
}

// Export implements Exporter. Spans that are still held count as exported.
func (e *textExporter) Export(_ context.Context, spans []*Span) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range spans {
		e.hold(s)
	}
	e.flush(time.Now(), maxTextHeld)
	err := e.err
	e.err = nil
	return err
}

// Shutdown prints what is held.
func (e *textExporter) Shutdown(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
	}
	e.flush(time.Now(), 0)
	return e.err
}

// String names the format.
func (e *textExporter) String() string { return "text" }

// hold adds s to its trace.
func (e *textExporter) hold(s *Span) {
	t := e.traces[s.TraceID]
	if t == nil {
		t = &textTrace{id: s.TraceID, due: time.Now().Add(textHold)}
		e.traces[s.TraceID] = t
		e.queue = append(e.queue, t)
	}
	t.spans = append(t.spans, newTextSpan(s))
	e.spans++
}

// flush prints the traces that are due by now, and more of the oldest until at
// most limit spans are held; it arms the timer for the rest.
func (e *textExporter) flush(now time.Time, limit int) {
	e.buf = e.buf[:0]
	n := 0
	for n < len(e.queue) && (e.spans > limit || !e.queue[n].due.After(now)) {
		t := e.queue[n]
		e.queue[n] = nil
		n++
		e.spans -= len(t.spans)
		delete(e.traces, t.id)
		e.buf = t.append(e.buf, e.loc)
	}
	e.queue = e.queue[n:]
	if len(e.buf) > 0 {
		if _, err := e.w.Write(e.buf); err != nil {
			e.err = fmt.Errorf("write text spans: %w", err)
		}
	}
	if len(e.queue) > 0 {
		e.arm(e.queue[0].due.Sub(now))
	}
}

func (e *textExporter) arm(d time.Duration) {
	if e.timer == nil {
		e.timer = time.AfterFunc(d, e.flushDue)
		return
	}
	e.timer.Reset(d)
}

func (e *textExporter) flushDue() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flush(time.Now(), maxTextHeld)
}
