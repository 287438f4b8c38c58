// SPDX-License-Identifier: Apache-2.0

package links

import (
	"fmt"
	"strings"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// TruthHeader carries a request's truth id.
const TruthHeader = "x-truth-id"

// Background begins the truth ids of calls that serve no request: what a service
// does on its own. Their CLIENT spans must be roots.
const Background = "background"

// EvidenceKey is the attribute that says what a link rests on.
const EvidenceKey = "tracer_agent.link"

// maxMistakes bounds the descriptions that a Score keeps of each kind.
const maxMistakes = 10

// Tally counts links of one kind.
type Tally struct {
	Expected int // spans that have a right parent
	Claimed  int // spans that were given a parent
	Right    int // ... and it is the right one
	Dangling int // of the claimed: the parent is no span that was received
	Bridged  int // given the grandparent, the parent being no span that was received: neither claimed nor wrong
}

// Precision is the share of the claimed links that are right; 1 if none was claimed.
func (t Tally) Precision() float64 { return share(t.Right, t.Claimed) }

// Recall is the share of the expected links that were found; 1 if none was expected.
func (t Tally) Recall() float64 { return share(t.Right, t.Expected) }

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// Score compares a set of spans with a plan.
//
// A request with id R must have a SERVER span that is a root, since its client
// is not traced. Its n-th call must have a CLIENT span whose parent is that
// SERVER span (a call link), and at the leaf a SERVER span whose parent is that
// CLIENT span (an exchange link). A call that was made twice has two of both,
// each CLIENT span with at most one SERVER span for a child.
type Score struct {
	Requests  int
	Spans     int   // received, of those expected
	Missing   int   // expected, not received
	Extra     int   // received beyond those expected
	Calls     Tally // SERVER to CLIENT, within a process
	Exchanges Tally // CLIENT to SERVER, between processes

	Evidence map[string]int // claimed call links by what the agent says they rest on

	Mistakes []string // wrong links, some of them
	Absent   []string // links and spans that are not there, some of them
}

// scorer is a Score being made.
type scorer struct {
	Score
	byTruth map[truthKey][]*otlptest.Span
	bySpan  map[string]*otlptest.Span
	taken   map[string]bool // CLIENT spans by id that have their SERVER span
}

type truthKey struct {
	id   string
	kind otlptest.Kind
}

// Judge compares spans with the plan. A span that arrived twice, told by its
// id, counts once: that is how OTLP works. Spans without a truth id, and those of
// other runs, are not looked at but for being parents.
func Judge(plan []Request, spans []otlptest.Span) *Score {
	s := &scorer{byTruth: map[truthKey][]*otlptest.Span{}, bySpan: map[string]*otlptest.Span{}, taken: map[string]bool{}}
	s.Evidence = map[string]int{}
	for i := range spans {
		if s.bySpan[spans[i].SpanID] != nil {
			continue // a batch that was sent again: its answer was late
		}
		s.bySpan[spans[i].SpanID] = &spans[i]
		if id := TruthID(&spans[i]); id != "" {
			key := truthKey{id, spans[i].Kind}
			s.byTruth[key] = append(s.byTruth[key], &spans[i])
		}
	}
	for i := range plan {
		s.request(&plan[i])
	}
	for _, span := range s.bySpan {
		s.background(span)
	}
	return &s.Score
}

// TruthID returns the id that a span's request carried, "" if none.
func TruthID(s *otlptest.Span) string {
	values, _ := s.Attrs["http.request.header."+TruthHeader].([]any)
	if len(values) != 1 {
		return ""
	}
	id, _ := values[0].(string)
	return id
}

// background judges a call that serves no request.
func (s *scorer) background(c *otlptest.Span) {
	if c.Kind == otlptest.Client && c.Parent != "" && strings.HasPrefix(TruthID(c), Background) {
		s.Calls.Claimed++
		s.Evidence[c.Str(EvidenceKey)]++
		s.wrong(c)
	}
}

func (s *scorer) request(r *Request) {
	s.Requests++
	roots := s.spans(r.ID, otlptest.Server, 1)
	for _, root := range roots {
		if root.Parent != "" { // its client is not traced: no parent can be right
			s.Exchanges.Claimed++
			s.wrong(root)
		}
	}
	for n := range r.Calls {
		id := r.CallID(n)
		clients := s.spans(id, otlptest.Client, r.attempts())
		servers := s.spans(id, otlptest.Server, r.attempts())
		s.Calls.Expected += max(r.attempts(), len(clients))
		for _, c := range clients {
			if c.Parent != "" {
				s.Evidence[c.Str(EvidenceKey)]++
			}
			s.link(&s.Calls, c, r.ID, otlptest.Server)
		}
		s.Exchanges.Expected += max(r.attempts(), len(servers))
		for _, v := range servers {
			if len(clients) < r.attempts() && s.bridged(v, r.ID) {
				s.Exchanges.Bridged++
				continue
			}
			s.link(&s.Exchanges, v, id, otlptest.Client)
		}
	}
}

// bridged says that v, the leaf's span of a call whose own span is missing, is
// below the request that made the call.
func (s *scorer) bridged(v *otlptest.Span, request string) bool {
	p := s.bySpan[v.Parent]
	return p != nil && p.Kind == otlptest.Server && TruthID(p) == request && p.TraceID == v.TraceID
}

// spans returns the spans of a truth id, of which there should be want.
func (s *scorer) spans(id string, kind otlptest.Kind, want int) []*otlptest.Span {
	found := s.byTruth[truthKey{id, kind}]
	if missing := want - len(found); missing > 0 {
		s.Missing += missing
		s.Absent = keep(s.Absent, fmt.Sprintf("%d of %d %s spans of %s", missing, want, name(kind), id))
	} else {
		s.Extra -= missing
	}
	s.Spans += len(found)
	return found
}

// link judges the parent of child, which must be a span of the given kind that
// carries the id parent.
func (s *scorer) link(t *Tally, child *otlptest.Span, parent string, kind otlptest.Kind) {
	if child.Parent == "" {
		s.Absent = keep(s.Absent, "no parent: "+child.String())
		return
	}
	t.Claimed++
	p := s.bySpan[child.Parent]
	switch {
	case p == nil:
		t.Dangling++
		s.Mistakes = keep(s.Mistakes, "parent not received: "+child.String())
	case p.Kind != kind || TruthID(p) != parent || p.TraceID != child.TraceID,
		kind == otlptest.Client && s.taken[p.SpanID]:
		s.wrong(child)
	default:
		t.Right++
		s.taken[p.SpanID] = s.taken[p.SpanID] || kind == otlptest.Client
	}
}

func (s *scorer) wrong(child *otlptest.Span) {
	given := "not received"
	if p := s.bySpan[child.Parent]; p != nil {
		given = p.String()
	}
	s.Mistakes = keep(s.Mistakes, fmt.Sprintf("wrong parent: %s\n\tis given %s", child, given))
}

func keep(list []string, line string) []string {
	if len(list) < maxMistakes {
		list = append(list, line)
	}
	return list
}

func name(kind otlptest.Kind) string { return strings.TrimPrefix(kind.String(), "SPAN_KIND_") }
