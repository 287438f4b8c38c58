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
	Trace    trace.TraceID
	Parent   trace.SpanID
	Duration time.Duration
}

// Want is a span that must be seen. Its Duration is the shortest that is
// right. A zero Trace stands for any: the request carried none.
type Want Span

// Compare returns what is wrong with what was seen, a line each: spans that
// are missing, differ, or are too many. Spans of one service, kind and target
// are told apart by their trace.
func Compare(want []Want, got []Span) []string {
	var wrong []string
	used := make([]bool, len(got))
	for _, w := range want {
		i := find(w, got, used)
		if i < 0 {
			wrong = append(wrong, "missing: "+Span(w).String())
			continue
		}
		used[i] = true
		wrong = append(wrong, w.differences(got[i])...)
	}
	for i, g := range got {
		if !used[i] {
			wrong = append(wrong, "unexpected: "+g.String())
		}
	}
	return wrong
}

// find returns the index of the unused span that w means, preferring one of its
// trace; -1 if there is none.
func find(w Want, got []Span, used []bool) int {
	found := -1
	for i, g := range got {
		if used[i] || g.Service != w.Service || g.Kind != w.Kind || g.Target != w.Target {
			continue
		}
		if g.Trace == w.Trace {
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
			out = append(out, fmt.Sprintf("%s: %s is %v, want %v", Span(w), what, got, want))
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
		out = append(out, fmt.Sprintf("%s: it has no trace id", Span(w)))
	}
	if g.Duration < w.Duration {
		out = append(out, fmt.Sprintf("%s: it took %v, want at least %v", Span(w), g.Duration, w.Duration))
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
