// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// recorder is a Handler that writes down what it is told, copying all bytes.
type recorder struct {
	log    []string
	method Method // answer to every response Head
	p      *Parser
}

func (r *recorder) Head(h *Head) Method {
	var b strings.Builder
	if h.Kind == Request {
		fmt.Fprintf(&b, "head %s %q", h.Method, h.Target)
	} else {
		fmt.Fprintf(&b, "head %d", h.Status)
	}
	fmt.Fprintf(&b, " %d.%d size=%d", h.Major, h.Minor, h.Size)
	if h.ContentLength >= 0 {
		fmt.Fprintf(&b, " length=%d", h.ContentLength)
	}
	for _, flag := range []struct {
		set  bool
		name string
	}{{h.Chunked, "chunked"}, {h.Close, "close"}, {h.Upgrade, "upgrade"}, {h.Truncated, "truncated"}} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	for _, f := range h.Fields() {
		fmt.Fprintf(&b, " [%s:%s]", f.Name, f.Value)
	}
	r.log = append(r.log, fmt.Sprintf("%s at=%d", b.String(), r.p.Offset()))
	return r.method
}

func (r *recorder) End(e End) {
	reasons := [...]string{"framed", "close", "aborted", "lost", "tunnel", "replaced", "inferred"}
	s := "end " + reasons[e.Reason]
	if e.BodyKnown {
		s += fmt.Sprintf(" body=%d", e.BodySize)
	}
	if e.Trailers {
		s += " trailers"
	}
	r.log = append(r.log, fmt.Sprintf("%s at=%d", s, r.p.Offset()))
}

func (r *recorder) Desync() { r.log = append(r.log, "desync") }

func newRecorded(k Kind, lim Limits) (*Parser, *recorder) {
	p := New(k, lim)
	return p, &recorder{p: p}
}

// step is one call: Feed if text is set, else Skip if skip is, else the named one.
type step struct {
	text string
	skip int64
	call string // "eof", "boundary", "tunnel"
}

func (s step) apply(t *testing.T, p *Parser, r *recorder) {
	t.Helper()
	switch {
	case s.text != "":
		p.Feed([]byte(s.text), r)
	case s.skip != 0:
		p.Skip(s.skip, r)
	case s.call == "eof":
		p.EOF(r)
	case s.call == "boundary":
		p.Boundary(r)
	case s.call == "tunnel":
		p.Tunnel(r)
	default:
		t.Fatalf("empty step %+v", s)
	}
}

func feed(text string) step { return step{text: text} }
func skip(n int64) step     { return step{skip: n} }

var (
	eof      = step{call: "eof"}
	boundary = step{call: "boundary"}
	tunnel   = step{call: "tunnel"}
)

// testCase is a run of steps and the calls that it causes.
type testCase struct {
	name   string
	kind   Kind
	method Method
	lim    Limits
	steps  []step
	want   []string
	state  State // where the Parser stands in the end
}

func runCases(t *testing.T, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 2, 7} {
				p, r := newRecorded(c.kind, c.lim)
				r.method = c.method
				for _, s := range split(c.steps, size) {
					s.apply(t, p, r)
				}
				if !slices.Equal(r.log, c.want) {
					t.Errorf("in pieces of %d:\n got %s\nwant %s", size,
						strings.Join(r.log, "\n     "), strings.Join(c.want, "\n     "))
				}
				if p.State() != c.state {
					t.Errorf("in pieces of %d: state %d, want %d", size, p.State(), c.state)
				}
			}
		})
	}
}

// split cuts every Feed into pieces of size bytes; 0 leaves them whole.
func split(steps []step, size int) (cut []step) {
	for _, s := range steps {
		for size > 0 && len(s.text) > size {
			cut = append(cut, feed(s.text[:size]))
			s.text = s.text[size:]
		}
		cut = append(cut, s)
	}
	return cut
}
