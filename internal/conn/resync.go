// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"bytes"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
)

const (
	// statusPrefix begins every response.
	statusPrefix = "HTTP/"
	// lastChunk ends a chunked body without trailers (RFC 9112 section 7.1).
	lastChunk = "\r\n0\r\n\r\n"
)

// restarts says that e begins a message in a direction whose framing was lost.
// Bodies may look like messages, so that this is believed only where one is due.
func (t *Table) restarts(c *conn, e *event.Data) bool {
	if len(e.Payload) == 0 || c.streams[e.Dir].inMessage() && !c.due(e.Dir) {
		return false
	}
	starts := t.turned // or it would not have been captured
	if t.gap {         // it may hold the first bytes of the head
		starts = e.Flags&event.DataHead != 0 && unmistakable(e.Payload)
	}
	return starts && (e.Dir == c.requests) != isPrefix(e.Payload, statusPrefix)
}

// intrudes says that e looks like a response to a request that was lost or is
// reported later, while the end of the last response has not been seen either.
func (t *Table) intrudes(c *conn, e *event.Data) bool {
	return e.Dir != c.requests && (t.turned || e.Dir == event.Recv) && e.Flags&event.DataHead != 0 &&
		len(c.pending) == 1 && c.pending[0].x.HasResponse() && isPrefix(e.Payload, statusPrefix)
}

// due says whether a message can begin before the one in progress is known to have ended.
func (c *conn) due(d event.Dir) bool {
	if d == c.requests { // not while the request has not been answered
		return c.open == nil || c.open.x.HasResponse()
	}
	return len(c.pending) != 1 || !c.pending[0].x.HasResponse()
}

// isPrefix says that b begins with prefix, as far as it goes.
func isPrefix(b []byte, prefix string) bool {
	n := min(len(b), len(prefix))
	return string(b[:n]) == prefix[:n]
}

func startsWith(b []byte, prefix string) bool { return len(b) >= len(prefix) && isPrefix(b, prefix) }

// unmistakable says that b begins a message, and is not what follows the first
// bytes of one.
func unmistakable(b []byte) bool {
	if startsWith(b, statusPrefix) {
		return true
	}
	method, _, _ := bytes.Cut(b, []byte(" "))
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return true
	}
	return false
}

// pass takes a slice of a direction without framing. Only the end of a chunked
// body is looked for: what else is found in a body need not be what it seems.
func (t *Table) pass(p *httpparse.Parser, e *event.Data, h httpparse.Handler) {
	end := e.TailBytes()
	if len(e.Payload) == int(e.Total) {
		end = e.Payload
	}
	last := lastChunk[2:] // a call of its own
	if int(e.Total) > len(last) {
		last = lastChunk
	}
	n := 0
	if p.InMessage() && bytes.HasSuffix(end, []byte(last)) {
		n = len(last)
	}
	p.Skip(int64(int(e.Total)-n), h)
	p.Feed(end[len(end)-n:], h)
}

// begins says that b can begin a message. Bodies of messages whose head was
// lost are kept from the parser, which would look for messages in them.
func begins(k httpparse.Kind, b []byte) bool {
	if k == httpparse.Response {
		return isPrefix(b, statusPrefix)
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if !whole || len(line) == 0 {
		return true // judged by what follows
	}
	const version = " HTTP/1.1"
	at := len(line) - len(version)
	return at > 0 && startsWith(line[at:], " HTTP/")
}
