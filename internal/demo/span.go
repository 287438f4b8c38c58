// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Span is what the demo compares of a span.
type Span struct {
	Service  string
	Kind     trace.SpanKind
	Name     string
	Target   string // path and query
	Status   int    // of the response; 0: none
	Error    string // error.type
	Body     int64  // bytes of the response's body; -1: not said
	ID       trace.SpanID
	Trace    trace.TraceID
	Parent   trace.SpanID
	Duration time.Duration
}

// Want is a span that must be seen, with those below it. Its Duration is the
// shortest that is right, its ID is not used. Trace and Parent are those that
// the browser sent, zero if it sent none; spans below a Want are in the trace
// of the span that was seen for it, and its children.
type Want struct {
	Span
	Below []Want
}

// Count is the number of spans in the tree.
func (w Want) Count() int {
	n := 1
	for _, b := range w.Below {
		n += b.Count()
	}
	return n
}

// Compare returns what is wrong with what was seen, a line each: spans that
// are missing, differ, hang elsewhere, or are too many.
func Compare(want []Want, got []Span) []string {
	c := comparison{got: got, used: make([]bool, len(got))}
	for _, w := range want {
		c.tree(w)
	}
	for i, g := range got {
		if !c.used[i] {
			c.wrong = append(c.wrong, "unexpected: "+g.String())
		}
	}
	return c.wrong
}

// comparison is the state of Compare.
type comparison struct {
	got   []Span
	used  []bool
	wrong []string
}

// tree compares w, whose Trace and Parent are set, and what is below it.
func (c *comparison) tree(w Want) {
	i := c.find(w)
	if i < 0 {
		c.wrong = append(c.wrong, "missing: "+w.String())
	} else {
		c.used[i] = true
		c.wrong = append(c.wrong, w.differences(c.got[i])...)
		w.Trace, w.ID = c.got[i].Trace, c.got[i].ID
	}
	for _, b := range w.Below {
		b.Trace, b.Parent = w.Trace, w.ID
		c.tree(b)
	}
}

// find returns the index of the unused span that w means, the one below w's
// parent if there are several; -1 if there is none.
func (c *comparison) find(w Want) int {
	found := -1
	for i, g := range c.got {
		if c.used[i] || g.Service != w.Service || g.Kind != w.Kind || g.Target != w.Target {
			continue
		}
		if g.Parent == w.Parent {
			return i
		}
		if found < 0 {
			found = i
		}
	}
	return found
}

func (w Want) differences(g Span) []string {
	var out []string
	differ := func(what string, got, want any) {
		if got != want {
			out = append(out, fmt.Sprintf("%s: %s is %v, want %v", w, what, got, want))
		}
	}
	differ("name", g.Name, w.Name)
	differ("status", g.Status, w.Status)
	differ("error.type", g.Error, w.Error)
	differ("body size", g.Body, w.Body)
	differ("parent", g.Parent, w.Parent)
	switch {
	case w.Trace.IsValid():
		differ("trace", g.Trace, w.Trace)
	case !g.Trace.IsValid():
		out = append(out, fmt.Sprintf("%s: it has no trace id", w))
	}
	if g.Duration < w.Duration {
		out = append(out, fmt.Sprintf("%s: it took %v, want at least %v", w, g.Duration, w.Duration))
	}
	return out
}

// String names the span: "storefront SERVER GET /orders".
func (s Span) String() string {
	kind := "SERVER"
	if s.Kind == trace.SpanKindClient {
		kind = "CLIENT"
	}
	return fmt.Sprintf("%s %s %q of %s", s.Service, kind, s.Name, s.Target)
}
