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
	c.proven = true
	if t.late || c.early {
		t.dropEarly(c, methodOf(h.Method))
		return httpparse.MethodOther
	}
	if !t.turn(c) {
		t.stats.DroppedBroken++
		return httpparse.MethodOther
	}
	p := t.newPending()
	p.method = methodOf(h.Method)
	p.x = spanbuilder.Exchange{
		Peer: &c.peer, Server: t.dir == event.Recv, TGID: c.tgid, TID: c.tid,
		ReqStart: c.streams[t.dir].first, ReqBody: -1, RespBody: -1, Target: t.targets(c.tgid),
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

// dropEarly counts a request whose response has been seen, or may be hidden in
// the loss that cut its head.
func (t *Table) dropEarly(c *conn, m httpparse.Method) {
	t.stats.DroppedLost++
	c.insync = c.early
	if c.early && m == httpparse.MethodHead { // it was not known to have no body
		t.boundary(c)
	}
	c.early, c.unsure = false, true
}

// boundary ends what is in progress in the direction of responses.
func (t *Table) boundary(c *conn) {
	if s := c.replies(); s.parser != nil {
		dir, now := t.dir, t.now
		t.begin(c, c.requests.Other(), now)
		s.parser.Boundary((*responses)(t))
		t.begin(c, dir, now)
	}
}

// turn decides, as a request begins, what becomes of the exchanges before it.
// While every request is known, they go on: the client does not wait. When some
// are not known, that one begins is taken to mean that those before are over,
// as it does on connections whose clients wait; on one whose client does not,
// nothing can be told any more. It reports whether c can still be followed.
func (t *Table) turn(c *conn) bool {
	resp := c.replies()
	if c.insync && (len(c.pending) == 0 || !c.unsure) {
		switch {
		case len(c.pending) == 0:
			if resp.inMessage() { // of a response that has no request
				t.boundary(c)
			}
		case !resp.lost():
			c.piped = true
		case len(c.pending) > 1: // a response or its end was missed
			t.abandon(c)
		}
		return c.mode == live
	}
	if c.piped {
		t.abandon(c)
		return false
	}
	t.dropPending(c, &t.stats.DroppedLost)
	t.boundary(c)
	c.insync, c.unsure = true, true
	return true
}

// End notes the size of a request's body. The exchange may be over already.
func (r *requests) End(e httpparse.End) {
	t := (*Table)(r)
	c := t.cur
	c.streams[t.dir].first = t.now
	if c.piped && isGuess(e.Reason) {
		t.abandon(c)
	}
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
	t.desync()
	if t.cur.piped {
		t.abandon(t.cur)
	}
}

func (t *Table) desync() {
	t.stats.Desyncs++
	t.cur.insync = false
	t.misled = t.misled || !t.cur.proven
}

// Head joins a response with the oldest request that has none.
func (r *responses) Head(h *httpparse.Head) httpparse.Method {
	t := (*Table)(r)
	c := t.cur
	if c.mode != live {
		return httpparse.MethodOther
	}
	c.proven = true
	interim := h.Status < 200 && h.Status != 101
	if len(c.pending) == 0 {
		t.orphan(c, interim)
		return httpparse.MethodOther
	}
	p := c.pending[0]
	if interim {
		return p.method
	}
	c.answer(false)
	p.x.RespStart = c.streams[t.dir].first
	p.x.ReqStart = min(p.x.ReqStart, p.x.RespStart) // it is reported late when the response overtook it
	t.builder.Response(&p.x, h)
	return p.method
}

// orphan takes a response whose request was not seen, or not yet. A second one
// to the same bytes shows that the client does not wait, unless it can have
// overtaken its request.
func (t *Table) orphan(c *conn, interim bool) {
	t.stats.Orphans++
	c.insync = false
	if interim {
		return
	}
	reqs := &c.streams[c.requests]
	switch again := c.answered && c.asked == reqs.pos; {
	case c.piped, again && !(c.requests == event.Send && reqs.idle()):
		t.abandon(c)
	case again: // all requests before have been answered: it overtook its own
		c.early = true
	}
	c.answer(false)
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
	if c.piped && isGuess(e.Reason) {
		t.abandon(c)
	}
	if len(c.pending) == 0 || !c.pending[0].x.HasResponse() {
		return
	}
	x := &c.pending[0].x
	x.End, x.Outcome = t.now, spanbuilder.Complete
	switch e.Reason {
	case httpparse.EndFramed:
		if t.loose {
			x.End, x.Outcome = s.last, spanbuilder.ResponseBodyLost
		}
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
	if !c.insync && isGuess(e.Reason) { // it may be the end of a later response
		t.stats.DroppedLost++
		t.builder.Drop(x)
		t.pop(c)
		return
	}
	c.unsure = false
	t.done(c)
}

// isGuess says that an end was not told by framing.
func isGuess(r httpparse.EndReason) bool {
	return r == httpparse.EndInferred || r == httpparse.EndReplaced || r == httpparse.EndLost
}

// Desync: the head of a response was lost, if one was due. Which of several
// it was cannot be known: then nothing more is said of the connection.
func (r *responses) Desync() {
	t := (*Table)(r)
	c := t.cur
	if t.ending { // part of a head, of which there will be no more
		t.stats.Desyncs++
		return
	}
	t.desync()
	c.answer(true)
	switch {
	case c.piped:
		t.abandon(c)
	default:
		t.dropPending(c, &t.stats.DroppedLost)
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
