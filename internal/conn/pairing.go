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
	t.stats.Requests++
	if h.Truncated {
		t.stats.TruncatedHeads++
	}
	if c.streams[t.dir].pos == 0 && len(c.pending) == 0 {
		c.insync = true // the first request of all: what was answered before was none of this connection's
	}
	c.piped = c.piped || len(c.pending) > 0
	p := t.newPending()
	p.method, p.turn = methodOf(h.Method), t.turn
	p.x = spanbuilder.Exchange{
		Peer: &c.peer, Server: t.dir == event.Recv, TGID: c.tgid, TID: c.tid, Task: c.task, ParentTask: c.parentTask,
		Conn: c.id, First: c.streams[t.dir].exact && c.streams[t.dir].start == 0, Key: c.key(), Local: t.dir == event.Recv && t.mayBeLocal(c),
		ReqStart: c.streams[t.dir].first, ReqBody: -1, RespBody: -1, Target: c.findTarget(t.targets),
	}
	c.streams[t.dir].exact = false // the next one in these bytes begins elsewhere
	t.builder.Request(&p.x, h)
	c.pending = append(c.pending, p)
	c.open = p
	t.stats.OpenExchanges++
	if len(c.pending) > t.limits.Pipelined || c.piped && (!c.insync || c.guessed) {
		c.mode = broken
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
func (r *requests) Desync() { (*Table)(r).desync() }

// Desync: the head of a response was not recognised.
func (r *responses) Desync() { (*Table)(r).desync() }

func (t *Table) desync() {
	t.stats.Desyncs++
	t.astray = true
}

// Head joins a response with the oldest request that has none. After a loss it
// is believed to be the answer only if it comes in the very next turn.
func (r *responses) Head(h *httpparse.Head) httpparse.Method {
	t := (*Table)(r)
	c := t.cur
	interim := h.Status < 200 && h.Status != 101
	if len(c.pending) == 0 || !c.insync && t.turn != c.pending[0].turn+1 {
		t.stats.Orphans++
		t.astray = !interim
		return httpparse.MethodOther
	}
	p := c.pending[0]
	if interim {
		return p.method
	}
	p.x.RespStart = c.streams[t.dir].first
	p.x.ReqStart = min(p.x.ReqStart, p.x.RespStart) // it is reported late when the response overtook it
	p.x.AnswerTID, p.x.AnswerTask = c.tid, c.task
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
		c.mode = left
	}
	if len(c.pending) == 0 || !c.pending[0].x.HasResponse() {
		return
	}
	x := &c.pending[0].x
	x.End, x.Outcome = t.now, t.outcome(c, e.Reason)
	if x.Outcome == spanbuilder.ResponseBodyLost || e.Reason == httpparse.EndReplaced {
		x.End = s.last
	}
	if e.BodyKnown {
		x.RespBody = e.BodySize
	}
	c.insync = true
	c.guessed = e.Reason != httpparse.EndFramed || t.late
	t.done(c)
}

func (t *Table) outcome(c *conn, r httpparse.EndReason) spanbuilder.Outcome {
	switch r {
	case httpparse.EndFramed:
		if t.late { // somewhere in bytes of which no record tells when they moved
			return spanbuilder.ResponseBodyLost
		}
	case httpparse.EndClose:
		if t.dir == event.Recv && !c.recvEOF { // closed by the reader: there may have been more
			return spanbuilder.Inferred
		}
	case httpparse.EndInferred, httpparse.EndReplaced:
		return spanbuilder.Inferred
	case httpparse.EndLost:
		return spanbuilder.ResponseBodyLost
	case httpparse.EndAborted:
		return spanbuilder.ResponseCut
	}
	return spanbuilder.Complete
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
