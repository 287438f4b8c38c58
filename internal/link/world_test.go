// SPDX-License-Identifier: Apache-2.0

package link

import (
	"encoding/binary"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

const hold = 100

// world is a Linker under test, with what left it.
type world struct {
	t       *testing.T
	l       *Linker
	ktime   uint64
	ids     uint64
	emitted map[string]*export.Span // by name
	by      map[string]Evidence
	skipped map[string]Skipped
	conns   uint64
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, ktime: 1, emitted: map[string]*export.Span{}, by: map[string]Evidence{}, skipped: map[string]Skipped{}}
	w.l = New(Config{
		Hold: hold, MaxHeld: 100, NewIDs: w,
		Keep: func(_ trace.TraceID, d tracecontext.Decision) bool { return d != tracecontext.Drop },
		Emit: func(s *export.Span, e Evidence) {
			if w.emitted[s.Name] != nil {
				t.Errorf("%s left twice", s.Name)
			}
			w.emitted[s.Name], w.by[s.Name] = s, e
		},
		Skip: func(s *export.Span, why Skipped) { w.skipped[s.Name] = why },
	})
	return w
}

func (w *world) TraceID() (id trace.TraceID) {
	w.ids++
	binary.BigEndian.PutUint64(id[8:], w.ids)
	return id
}

func (w *world) SpanID() (id trace.SpanID) {
	w.ids++
	binary.BigEndian.PutUint64(id[:], w.ids)
	return id
}

// request starts a SERVER exchange; f has what matters.
func (w *world) request(f Facts) *Node { f.Server = true; return w.start(f) }

// call starts a CLIENT exchange.
func (w *world) call(f Facts) *Node { return w.start(f) }

func (w *world) start(f Facts) *Node {
	w.ktime++
	f.Ktime = w.ktime
	if f.Context == nil {
		f.Context = &tracecontext.Result{}
	}
	if f.Method == nil {
		f.Method, f.Target = []byte("GET"), []byte("/")
	}
	if f.Conn == 0 {
		w.conns++
		f.Conn = w.conns
	}
	return w.l.Start(&f)
}

// end finishes an exchange, whose span is called name.
func (w *world) end(n *Node, name string) {
	w.ktime++
	w.l.Finish(n, &export.Span{Name: name})
}

// child requires that a span's parent is another, by that evidence, in the same trace.
func (w *world) child(name, parent string, e Evidence) {
	w.t.Helper()
	s, p := w.emitted[name], w.emitted[parent]
	switch {
	case s == nil || p == nil:
		w.t.Errorf("%s or %s has not left: %v", name, parent, w.emitted)
	case s.Parent != p.SpanID || s.TraceID != p.TraceID || w.by[name] != e || s.Remote:
		w.t.Errorf("%s: parent %v trace %v by %v; want %v of %v by %v", name, s.Parent, s.TraceID, w.by[name], p.SpanID, p.TraceID, e)
	}
}

// root requires that a span has no parent.
func (w *world) root(name string) {
	w.t.Helper()
	if s := w.emitted[name]; s == nil || s.Parent.IsValid() || !s.TraceID.IsValid() {
		w.t.Errorf("%s is no root: %+v", name, s)
	}
}

func contextOf(traceID, span byte) *tracecontext.Result {
	r := &tracecontext.Result{}
	r.Parent.Format, r.Parent.HasSpan = tracecontext.W3C, true
	r.Parent.TraceID[0], r.Parent.SpanID[0] = traceID, span
	return r
}
