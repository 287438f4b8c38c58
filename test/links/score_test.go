// SPDX-License-Identifier: Apache-2.0

package links

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// tree makes the spans of a plan as a perfect agent would report them.
func tree(plan []Request) []otlptest.Span {
	var spans []otlptest.Span
	add := func(trace, parent, truth string, kind otlptest.Kind) string {
		id := fmt.Sprintf("%016x", len(spans)+1)
		spans = append(spans, otlptest.Span{TraceID: trace, SpanID: id, Parent: parent, Kind: kind,
			Attrs: otlptest.Attrs{"http.request.header." + TruthHeader: []any{truth}}})
		return id
	}
	for i, r := range plan {
		trace := fmt.Sprintf("%032x", i+1)
		root := add(trace, "", r.ID, otlptest.Server)
		for n := range r.Calls {
			add(trace, add(trace, root, r.CallID(n), otlptest.Client), r.CallID(n), otlptest.Server)
		}
	}
	return spans
}

// two requests with two and one calls: spans 0 to 4 and 5 to 7.
func twoRequests() []Request { return []Request{{ID: "r-0", Calls: 2}, {ID: "r-1", Calls: 1}} }

func tally(expected, claimed, right, dangling int) Tally {
	return Tally{Expected: expected, Claimed: claimed, Right: right, Dangling: dangling}
}

func TestJudge(t *testing.T) {
	perfect := Score{Requests: 2, Spans: 8, Calls: tally(3, 3, 3, 0), Exchanges: tally(3, 3, 3, 0)}
	tests := []struct {
		name   string
		change func([]otlptest.Span) []otlptest.Span
		want   func(*Score)
	}{
		{"perfect", func(s []otlptest.Span) []otlptest.Span { return s }, func(*Score) {}},
		{"in any order", func(s []otlptest.Span) []otlptest.Span { slices.Reverse(s); return s }, func(*Score) {}},
		{"a call without parent", func(s []otlptest.Span) []otlptest.Span { s[1].Parent = ""; return s },
			func(w *Score) { w.Calls = tally(3, 2, 2, 0) }},
		{"a call of another request", func(s []otlptest.Span) []otlptest.Span { s[1].Parent = s[5].SpanID; return s },
			func(w *Score) { w.Calls = tally(3, 3, 2, 0) }},
		{"right parent, another trace", func(s []otlptest.Span) []otlptest.Span { s[1].TraceID = s[5].TraceID; return s },
			// The exchange below it has another trace than its parent then, too.
			func(w *Score) { w.Calls, w.Exchanges = tally(3, 3, 2, 0), tally(3, 3, 2, 0) }},
		{"the sibling's exchange", func(s []otlptest.Span) []otlptest.Span { s[2].Parent = s[3].SpanID; return s },
			func(w *Score) { w.Exchanges = tally(3, 3, 2, 0) }},
		{"a leaf that skips its client", func(s []otlptest.Span) []otlptest.Span { s[2].Parent = s[0].SpanID; return s },
			func(w *Score) { w.Exchanges = tally(3, 3, 2, 0) }},
		{"a root with a parent", func(s []otlptest.Span) []otlptest.Span { s[5].Parent = s[1].SpanID; return s },
			func(w *Score) { w.Exchanges = tally(3, 4, 3, 0) }},
		{"a client is missing", func(s []otlptest.Span) []otlptest.Span { return slices.Delete(s, 1, 2) },
			func(w *Score) {
				w.Spans, w.Missing = 7, 1
				w.Calls, w.Exchanges = tally(3, 2, 2, 0), tally(3, 3, 2, 1)
			}},
		{"a client is missing, its leaf is below the request", func(s []otlptest.Span) []otlptest.Span {
			s[2].Parent = s[0].SpanID
			return slices.Delete(s, 1, 2)
		}, func(w *Score) {
			w.Spans, w.Missing = 7, 1
			w.Calls, w.Exchanges = tally(3, 2, 2, 0), Tally{Expected: 3, Claimed: 2, Right: 2, Bridged: 1}
		}},
		{"a client is missing, its leaf is below another request", func(s []otlptest.Span) []otlptest.Span {
			s[2].Parent = s[5].SpanID
			return slices.Delete(s, 1, 2)
		}, func(w *Score) {
			w.Spans, w.Missing = 7, 1
			w.Calls, w.Exchanges = tally(3, 2, 2, 0), tally(3, 3, 2, 0)
		}},
		{"a root is missing", func(s []otlptest.Span) []otlptest.Span { return slices.Delete(s, 5, 6) },
			func(w *Score) { w.Spans, w.Missing, w.Calls = 7, 1, tally(3, 3, 2, 1) }},
		{"a root came twice", func(s []otlptest.Span) []otlptest.Span { s = append(s, s[0]); s[8].SpanID = "f"; return s },
			func(w *Score) { w.Spans, w.Extra = 9, 1 }},
		{"a batch arrived twice", func(s []otlptest.Span) []otlptest.Span { return append(s, s[2:5]...) }, func(*Score) {}},
		{"a call came twice", again, func(w *Score) {
			w.Spans, w.Extra, w.Calls, w.Exchanges = 10, 2, tally(4, 4, 4, 0), tally(4, 4, 4, 0)
		}},
		{"two leaves claim one client", func(s []otlptest.Span) []otlptest.Span { s = again(s); s[9].Parent = s[1].SpanID; return s },
			func(w *Score) { w.Spans, w.Extra, w.Calls, w.Exchanges = 10, 2, tally(4, 4, 4, 0), tally(4, 4, 3, 0) }},
		{"nothing", func([]otlptest.Span) []otlptest.Span { return nil },
			func(w *Score) {
				*w = Score{Requests: 2, Missing: 8, Calls: Tally{Expected: 3}, Exchanges: Tally{Expected: 3}}
			}},
		{"spans of others", func(s []otlptest.Span) []otlptest.Span {
			other := tree([]Request{{ID: "q-0"}})[0]
			other.SpanID = "y"
			return append(s, otlptest.Span{SpanID: "x", Kind: otlptest.Client, Parent: s[0].SpanID}, other)
		}, func(*Score) {}},
		{"calls that serve no request", func(s []otlptest.Span) []otlptest.Span {
			own := tree([]Request{{ID: "x", Calls: 2}})[1:5]
			for i, id := range []string{"w", "x", "y", "z"} {
				own[i].SpanID = id
				own[i].Attrs = otlptest.Attrs{"http.request.header." + TruthHeader: []any{Background + ".1"}}
			}
			own[0].Parent, own[1].Parent, own[2].Parent, own[3].Parent = "", "w", s[0].SpanID, "y"
			return append(s, own...)
		}, func(w *Score) { w.Calls.Claimed = 4 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := perfect
			tt.want(&want)
			got := Judge(twoRequests(), tt.change(tree(twoRequests())))
			mistakes := got.Calls.Claimed - got.Calls.Right + got.Exchanges.Claimed - got.Exchanges.Right
			if mistakes != len(got.Mistakes) {
				t.Errorf("%d mistakes are described: %s", len(got.Mistakes), strings.Join(got.Mistakes, "\n"))
			}
			if n := got.Evidence[""]; n != got.Calls.Claimed {
				t.Errorf("%d calls have an evidence, %d are claimed", n, got.Calls.Claimed)
			}
			got.Mistakes, got.Absent, got.Evidence = nil, nil, nil
			if fmt.Sprint(*got) != fmt.Sprint(want) {
				t.Errorf("got  %+v\nwant %+v", *got, want)
			}
		})
	}
}

// again repeats the first call and its exchange.
func again(s []otlptest.Span) []otlptest.Span {
	client, leaf := s[1], s[2]
	client.SpanID, leaf.SpanID, leaf.Parent = "f1", "f2", "f1"
	return append(s, client, leaf)
}

func TestJudgeOfACallMadeTwice(t *testing.T) {
	plan := twoRequests()
	plan[1].Twice = true
	if Spans(plan) != 10 {
		t.Errorf("%d spans are expected", Spans(plan))
	}
	once := Judge(plan, tree(plan))
	if once.Missing != 2 || once.Calls != tally(4, 3, 3, 0) || once.Exchanges != tally(4, 3, 3, 0) {
		t.Errorf("seen once: %+v", once)
	}
	spans := tree(plan)
	client, leaf := spans[6], spans[7]
	client.SpanID, leaf.SpanID, leaf.Parent = "f1", "f2", "f1"
	twice := Judge(plan, append(spans, client, leaf))
	if twice.Missing+twice.Extra != 0 || twice.Calls != tally(4, 4, 4, 0) || twice.Exchanges != tally(4, 4, 4, 0) {
		t.Errorf("seen twice: %+v", twice)
	}
}

func TestShares(t *testing.T) {
	tally := Tally{Expected: 8, Claimed: 5, Right: 4}
	if tally.Precision() != 0.8 || tally.Recall() != 0.5 {
		t.Errorf("precision %v, recall %v", tally.Precision(), tally.Recall())
	}
	if (Tally{}).Precision() != 1 || (Tally{Expected: 1}).Recall() != 0 {
		t.Error("what was not claimed counts as wrong, or what was missed as found")
	}
}

func TestPlanIsTheSameEachTime(t *testing.T) {
	shape := Work(5e6, "seq", "par")
	a, b := Plan("r", 50, 10, true, shape), Plan("r", 50, 10, true, shape)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("two plans of the same arguments differ")
	}
	calls, fresh := 0, 0
	for _, r := range a {
		calls += r.Calls
		if r.Fresh {
			fresh++
		}
	}
	if calls < 75 || calls > 125 || fresh == 0 || fresh == 50 {
		t.Errorf("%d calls, %d fresh connections", calls, fresh)
	}
}
