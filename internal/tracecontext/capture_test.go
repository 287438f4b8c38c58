// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/httpparse"
)

// collector passes the fields of every head on, as the agent does.
type collector struct {
	x       *Extractor
	parents []string
}

func (c *collector) Head(h *httpparse.Head) httpparse.Method {
	c.x.Begin()
	for _, f := range h.Fields() {
		c.x.Field(f.Name, f.Value)
	}
	c.parents = append(c.parents, c.x.Result().Parent.String())
	return httpparse.MethodOther
}

func (c *collector) End(httpparse.End) {}
func (c *collector) Desync()           {}

// captured returns the parents of the requests in a stream that arrives in
// the given reads.
func captured(t *testing.T, reads ...string) []string {
	t.Helper()
	c := &collector{x: newExtractor(t, nil)}
	p := httpparse.New(httpparse.Request, httpparse.Limits{})
	for _, r := range reads {
		p.Feed([]byte(r), c)
	}
	p.EOF(c)
	return c.parents
}

func TestCapturedHeads(t *testing.T) {
	parent := "00-" + traceA + "-" + spanA + "-01"
	cookies := func(size int) string {
		line := "Cookie: a=" + strings.Repeat("c", 500) + "\r\n"
		return strings.Repeat(line, size/len(line)+1)
	}
	const start = "POST /cart HTTP/1.1\r\nHost: a\r\n"
	const chunked = "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
	for _, c := range []struct{ name, stream, want string }{
		{"plain", start + "traceparent: " + parent + "\r\nContent-Length: 0\r\n\r\n", parent},
		{"after 4 KiB of cookies", start + cookies(4<<10) + "Traceparent: " + parent + "\r\n\r\n", parent},
		{"after 7 KiB of cookies", start + cookies(7<<10) + "Traceparent: " + parent + "\r\n\r\n", parent},
		{"folded before the value", start + "traceparent:\r\n " + parent + "\r\nAccept: a\r\n\r\n", parent},
		{"folded inside the value", start + "traceparent: " + parent[:10] + "\r\n\t" + parent[10:] + "\r\n\r\n", ""},
		{"in a trailer", start + "Trailer: traceparent\r\n" + chunked + "traceparent: " + parent + "\r\n\r\n", ""},
		{"in a body", start + "Content-Length: 70\r\n\r\ntraceparent: " + parent + "\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := fmt.Sprintf("%q", []string{c.want})
			if got := fmt.Sprintf("%q", captured(t, c.stream)); got != want {
				t.Fatalf("parents = %s, want %s", got, want)
			}
			for i := range len(c.stream) {
				if got := fmt.Sprintf("%q", captured(t, c.stream[:i], c.stream[i:])); got != want {
					t.Fatalf("split at byte %d: parents = %s, want %s", i, got, want)
				}
			}
		})
	}
}
