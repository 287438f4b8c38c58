// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// everything is the script's spans as a perfect agent would report them.
func everything(steps []Step) (want []Want, got []Span) {
	for _, s := range steps {
		for _, w := range s.Spans {
			g := Span(w)
			if !g.Trace.IsValid() {
				g.Trace = trace.TraceID{1, byte(len(got))}
			}
			want, got = append(want, w), append(got, g)
		}
	}
	return want, got
}

func TestCompareAcceptsTheScript(t *testing.T) {
	want, got := everything(Script())
	if wrong := Compare(want, got); len(wrong) > 0 {
		t.Errorf("a perfect run is refused:\n%s", strings.Join(wrong, "\n"))
	}
	for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
		got[i], got[j] = got[j], got[i]
	}
	if wrong := Compare(want, got); len(wrong) > 0 {
		t.Errorf("the order matters:\n%s", strings.Join(wrong, "\n"))
	}
}

func TestCompareFindsEachDifference(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Span)
		says   string
	}{
		{"name", func(s *Span) { s.Name = "GET" }, `name is GET, want GET /checkout/{id}`},
		{"status", func(s *Span) { s.Status = 0 }, "status is 0, want 200"},
		{"error", func(s *Span) { s.Error = "500" }, "error.type is 500, want "},
		{"body", func(s *Span) { s.Body-- }, "body size is "},
		{"parent", func(s *Span) { s.Parent = trace.SpanID{} }, "parent is 0000000000000000, want "},
		{"trace", func(s *Span) { s.Trace = trace.TraceID{9} }, "trace is 09"},
		{"service", func(s *Span) { s.Service = Cart }, "missing: storefront SERVER"},
		{"kind", func(s *Span) { s.Kind = trace.SpanKindClient }, "missing: storefront SERVER"},
		{"target", func(s *Span) { s.Target = "/else" }, "unexpected: storefront SERVER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, got := everything(Script())
			tt.change(&got[0])
			wrong := strings.Join(Compare(want, got), "\n")
			if !strings.Contains(wrong, tt.says) {
				t.Errorf("got %q, want it to contain %q", wrong, tt.says)
			}
		})
	}
}

func TestCompareFindsWhatIsTooShort(t *testing.T) {
	want, got := everything([]Step{{Spans: []Want{streamed()}}})
	got[0].Duration = time.Millisecond
	if wrong := Compare(want, got); len(wrong) != 1 || !strings.Contains(wrong[0], "at least 180ms") {
		t.Errorf("got %q", wrong)
	}
}

func TestCompareCounts(t *testing.T) {
	want, got := everything(Script())
	if wrong := Compare(want, nil); len(wrong) != len(want) {
		t.Errorf("%d lines about %d missing spans", len(wrong), len(want))
	}
	twice := append(got, got[0])
	if wrong := Compare(want, twice); len(wrong) != 1 || !strings.HasPrefix(wrong[0], "unexpected: storefront SERVER") {
		t.Errorf("a span that came twice: %q", wrong)
	}
	untraced := Span(server(Cart, "GET", "/", 200, 0))
	if wrong := Compare([]Want{Want(untraced)}, []Span{untraced}); len(wrong) != 1 {
		t.Errorf("a span without a trace id is accepted: %q", wrong)
	}
}

// The same target in two traces: each span is compared with that of its trace.
func TestComparePrefersTheTrace(t *testing.T) {
	first, second := server(Cart, "GET", "/", 200, 1), server(Cart, "GET", "/", 200, 2)
	first.Trace, second.Trace = trace.TraceID{1}, trace.TraceID{2}
	if wrong := Compare([]Want{first, second}, []Span{Span(second), Span(first)}); len(wrong) > 0 {
		t.Errorf("got %q", wrong)
	}
}
