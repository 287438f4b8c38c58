// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"fmt"
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
	for _, f := range h.Fields {
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

func TestSmoke(t *testing.T) {
	p, r := newRecorded(Request, Limits{})
	p.Feed([]byte("GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), r)
	p.Feed([]byte("junk \x00 \nGET /c HTTP/1.0\r\nA: b\r\n\r\n"), r)
	for _, l := range r.log {
		t.Log(l)
	}
}
