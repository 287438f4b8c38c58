// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// maxFree bounds the parsers and exchanges kept for reuse.
const maxFree = 1024

// requests and responses are a Table as the Handler of either side. HTTP/1
// answers requests in order (RFC 9112 section 9.3.2), so pairing is a queue.
type (
	requests  Table
	responses Table
)

func methodOf(m []byte) httpparse.Method {
	switch string(m) {
	case "HEAD":
		return httpparse.MethodHead
	case "CONNECT":
		return httpparse.MethodConnect
	}
	return httpparse.MethodOther
}

// Head starts an exchange.
func (r *requests) Head(h *httpparse.Head) httpparse.Method {
	t := (*Table)(r)
	c := t.cur
	if c.mode != live {
		return httpparse.MethodOther
	}
	t.stats.Requests++
	if h.Truncated {
		t.stats.TruncatedHeads++
	}
	p := t.newPending()
	p.method = methodOf(h.Method)
	p.x = spanbuilder.Exchange{
		Peer: &c.peer, Server: t.dir == event.Recv, TGID: c.tgid, TID: c.tid,
		ReqStart: c.streams[t.dir].first, ReqBody: -1, RespBody: -1, Target: t.targets(c.tgid),
	}
	if len(c.held) > 0 { // the response was reported first: the request cannot be later
		p.x.ReqStart = min(p.x.ReqStart, c.held[0].e.Ktime)
	}
	t.builder.Request(&p.x, h)
	c.pending = append(c.pending, p)
	c.open = p
	t.stats.OpenExchanges++
	if len(c.pending) > t.limits.Pipelined {
		t.abandon(c)
	}
	return httpparse.MethodOther
}

// End notes the size of a request's body. The exchange may be over already.
func (r *requests) End(e httpparse.End) {
	t := (*Table)(r)
	c := t.cur
	c.streams[t.dir].first = t.now
	p := c.open
	c.open = nil
	if p == nil {
		return
	}
	p.cut = e.Reason == httpparse.EndAborted
	if e.Reason == httpparse.EndFramed && e.BodyKnown {
		p.x.ReqBody = e.BodySize
	}
}

// Desync: requests may have passed that nobody saw.
func (r *requests) Desync() {
	t := (*Table)(r)
	t.stats.Desyncs++
	t.cur.insync = false
}

// Head joins a response with the oldest request that has none.
func (r *responses) Head(h *httpparse.Head) httpparse.Method {
	t := (*Table)(r)
	c := t.cur
	if c.mode != live {
		return httpparse.MethodOther
	}
	if len(c.pending) == 0 {
		t.stats.Orphans++
		return httpparse.MethodOther
	}
	p := c.pending[0]
	if h.Status < 200 && h.Status != 101 {
		return p.method
	}
	p.x.RespStart = c.streams[t.dir].first
	t.builder.Response(&p.x, h)
	return p.method
}

// End finishes an exchange.
func (r *responses) End(e httpparse.End) {
	t := (*Table)(r)
	c := t.cur
	s := &c.streams[t.dir]
	s.first = t.now
	if e.Reason == httpparse.EndTunnel {
		t.stats.Tunnels++
		c.mode = tunnel
	}
	if len(c.pending) == 0 || !c.pending[0].x.HasResponse() {
		return
	}
	x := &c.pending[0].x
	x.End, x.Outcome = t.now, spanbuilder.Complete
	switch e.Reason {
	case httpparse.EndClose:
		if t.dir == event.Recv && !c.recvEOF { // closed by the reader: there may have been more
			x.Outcome = spanbuilder.Inferred
		}
	case httpparse.EndInferred:
		x.Outcome = spanbuilder.Inferred
	case httpparse.EndReplaced:
		x.End, x.Outcome = s.last, spanbuilder.Inferred
	case httpparse.EndLost:
		x.End, x.Outcome = s.last, spanbuilder.ResponseBodyLost
	case httpparse.EndAborted:
		x.Outcome = spanbuilder.ResponseCut
	}
	if e.BodyKnown {
		x.RespBody = e.BodySize
	}
	t.done(c)
}

// Desync: the head of a response was lost, if one was due. Which of several
// it was cannot be known: then nothing more is said of the connection.
func (r *responses) Desync() {
	t := (*Table)(r)
	c := t.cur
	t.stats.Desyncs++
	c.insync = false
	switch len(c.pending) {
	case 0:
	case 1:
		t.dropPending(c, &t.stats.DroppedLost)
	default:
		t.abandon(c)
	}
}

// done hands the oldest exchange to the Builder.
func (t *Table) done(c *conn) {
	t.stats.Exchanges++
	t.builder.Done(&c.pending[0].x)
	t.pop(c)
}

// pop removes the oldest exchange.
func (t *Table) pop(c *conn) {
	p := c.pending[0]
	n := copy(c.pending, c.pending[1:])
	c.pending[n] = nil
	c.pending = c.pending[:n]
	if c.open == p {
		c.open = nil
	}
	t.stats.OpenExchanges--
	*p = pending{}
	if len(t.freePending) < maxFree {
		t.freePending = append(t.freePending, p)
	}
}

func (t *Table) newPending() *pending {
	if n := len(t.freePending); n > 0 {
		p := t.freePending[n-1]
		t.freePending = t.freePending[:n-1]
		return p
	}
	return &pending{}
}

func isReset(errno uint32) bool {
	return errno == uint32(unix.ECONNRESET) || errno == uint32(unix.EPIPE)
}
