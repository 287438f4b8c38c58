// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// perfect returns the trees of steps, and their spans as a perfect agent would
// report them.
func perfect(steps []Step) (want []Want, got []Span) {
	var add func(w Want, under Span)
	add = func(w Want, under Span) {
		g := w.Span
		g.ID = trace.SpanID{1, byte(len(got))}
		switch {
		case under.Trace.IsValid():
			g.Trace, g.Parent = under.Trace, under.ID
		case !g.Trace.IsValid():
			g.Trace = trace.TraceID{1, byte(len(got))}
		}
		got = append(got, g)
		for _, b := range w.Below {
			add(b, g)
		}
	}
	for _, s := range steps {
		want = append(want, s.Tree)
		add(s.Tree, Span{})
	}
	return want, got
}

func TestCompareAcceptsTheScript(t *testing.T) {
	want, got := perfect(Script())
	if wrong := Compare(want, got); len(wrong) > 0 {
		t.Errorf("a perfect run is refused:\n%s", strings.Join(wrong, "\n"))
	}
	slices.Reverse(got)
	if wrong := Compare(want, got); len(wrong) > 0 {
		t.Errorf("the order matters:\n%s", strings.Join(wrong, "\n"))
	}
}

// The first tree is that of a request without trace headers; all four services
// have a part in it.
func TestScriptHasATreeOfFourServices(t *testing.T) {
	services := map[string]bool{}
	var visit func(Want)
	visit = func(w Want) {
		services[w.Service] = true
		for _, b := range w.Below {
			visit(b)
		}
	}
	first := Script()[0]
	visit(first.Tree)
	if first.Traced || len(services) != 4 || first.Tree.Count() != 7 {
		t.Errorf("traced %v, %d services, %d spans", first.Traced, len(services), first.Tree.Count())
	}
}

func TestCompareFindsEachDifference(t *testing.T) {
	tests := []struct {
		name   string
		span   int // of the tree: 0 the storefront's, 3 the stock's CLIENT span
		change func(*Span)
		says   string
	}{
		{"name", 0, func(s *Span) { s.Name = "GET" }, `name is GET, want GET /checkout/{id}`},
		{"status", 0, func(s *Span) { s.Status = 0 }, "status is 0, want 200"},
		{"error", 0, func(s *Span) { s.Error = "500" }, "error.type is 500, want "},
		{"body", 0, func(s *Span) { s.Body-- }, "body size is "},
		{"a root's parent", 0, func(s *Span) { s.Parent = trace.SpanID{7} }, "parent is 0700000000000000, want 0000000000000000"},
		{"no parent", 3, func(s *Span) { s.Parent = trace.SpanID{} }, "parent is 0000000000000000, want 01"},
		{"another parent", 3, func(s *Span) { s.Parent = trace.SpanID{1, 0} }, "parent is 0100000000000000, want 0102"},
		{"trace", 3, func(s *Span) { s.Trace = trace.TraceID{9} }, "trace is 09"},
		{"no trace", 0, func(s *Span) { s.Trace = trace.TraceID{} }, "it has no trace id"},
		{"service", 0, func(s *Span) { s.Service = Cart }, "missing: storefront SERVER"},
		{"kind", 0, func(s *Span) { s.Kind = trace.SpanKindClient }, "missing: storefront SERVER"},
		{"target", 0, func(s *Span) { s.Target = "/else" }, "unexpected: storefront SERVER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, got := perfect(Script())
			tt.change(&got[tt.span])
			wrong := strings.Join(Compare(want, got), "\n")
			if !strings.Contains(wrong, tt.says) {
				t.Errorf("got %q, want it to contain %q", wrong, tt.says)
			}
		})
	}
}

func TestCompareFindsWhatIsTooShort(t *testing.T) {
	want, got := perfect([]Step{{Tree: streamed()}})
	got[0].Duration = time.Millisecond
	if wrong := Compare(want, got); len(wrong) != 1 || !strings.Contains(wrong[0], "at least 180ms") {
		t.Errorf("got %q", wrong)
	}
}

func TestCompareCounts(t *testing.T) {
	want, got := perfect(Script())
	if wrong := Compare(want, nil); len(wrong) != len(got) {
		t.Errorf("%d lines about %d missing spans", len(wrong), len(got))
	}
	twice := append(got, got[0])
	if wrong := Compare(want, twice); len(wrong) != 1 || !strings.HasPrefix(wrong[0], "unexpected: storefront SERVER") {
		t.Errorf("a span that came twice: %q", wrong)
	}
}

// The same target in two trees: each span is compared with that of its tree.
func TestComparePrefersTheTree(t *testing.T) {
	first, second := checkout("1"), checkout("2")
	second.Below[1].Body++ // the price
	want, got := perfect([]Step{{Tree: first}, {Tree: second}})
	slices.Reverse(got)
	if wrong := Compare(want, got); len(wrong) > 0 {
		t.Errorf("got %q", wrong)
	}
}
