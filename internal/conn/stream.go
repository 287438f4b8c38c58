// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"math"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
)

// maxHeld bounds the slices of one connection that wait for their request.
const maxHeld = 4

// slice takes the next slice in the kernel's order: what moved without a record
// before it, then itself.
func (t *Table) slice(c *conn, e *event.Data) {
	s := &c.streams[e.Dir]
	if e.Pos < s.pos {
		t.stats.Reordered++
		return
	}
	if !t.account(c, e) {
		t.miss(c)
	}
	s.pos = e.Pos // both, also where account stopped early
	c.streams[e.Dir.Other()].pos = max(c.streams[e.Dir.Other()].pos, c.otherPos(e))
	c.started, c.turn, c.lastDir = true, e.Turn, e.Dir
	t.take(c, e)
}

// take handles the bytes of a slice.
func (t *Table) take(c *conn, e *event.Data) {
	s := &c.streams[e.Dir]
	followed := c.mode == live && t.follow(c, e)
	if followed || c.mode == fastcgi {
		c.tgid, c.tid, c.task, c.parentTask = e.TGID, e.TID, e.Task, e.ParentTask
	}
	switch {
	case c.mode == fastcgi:
		t.fastcgi(c, e)
	case followed:
		t.feed(c, e)
	default:
		t.countRequest(c, e)
	}
	s.pos, s.last = e.Pos+uint64(e.Total), e.Ktime
	if c.http2 && e.Dir == event.Send && c.requests == event.Send {
		t.builder.HTTP2(e.TGID, e.Ktime, e.Payload)
	}
	t.mark(c, e)
	t.sequence(c, e)
	t.settle(c)
}

// account catches up with what both directions did before e. It returns false
// if messages may have been among it. The turns tell: each sends a record.
func (t *Table) account(c *conn, e *event.Data) bool {
	if !c.started {
		c.insync = e.Pos == 0 && c.otherPos(e) == 0
		return c.insync
	}
	other := e.Dir.Other()
	if c.skipsTurn(e) {
		t.stats.LostBytes += c.streams[e.Dir].lacks(e.Pos) + c.streams[other].lacks(c.otherPos(e))
		return false
	}
	late := c.otherPos(e) != e.OtherPos
	return t.skip(c, other, c.otherPos(e), e.OtherKtime, late) && t.skip(c, e.Dir, e.Pos, 0, true)
}

// lacks returns how many bytes moved up to pos without a record.
func (s *stream) lacks(pos uint64) uint64 { return max(pos, s.pos) - s.pos }

// skip accounts for bytes that moved without being seen. They moved at ktime,
// or, if late, at a time that is not known. It returns false if they cannot all
// be of the message in progress.
func (t *Table) skip(c *conn, d event.Dir, pos, ktime uint64, late bool) bool {
	s := &c.streams[d]
	if late && s.quiet && pos > s.pos {
		if p, at, ok := t.kernel.Progress(c.id, d); ok && p <= pos && p > s.pos && !t.pass(c, d, p, at, false) {
			return false
		}
	}
	if pos <= s.pos {
		return true
	}
	return t.pass(c, d, pos, ktime, late)
}

func (t *Table) pass(c *conn, d event.Dir, pos, ktime uint64, late bool) bool {
	s := &c.streams[d]
	n := int64(min(pos-s.pos, math.MaxInt64))
	if !s.counted {
		t.stats.LostBytes += uint64(n)
	}
	s.pos = pos
	if s.lost || c.mode != live || !c.known {
		return true // nothing is expected of it
	}
	if !s.inMessage() {
		return false
	}
	same := c.within(s.parser, n)
	if late {
		ktime = s.last
	}
	t.begin(c, d, ktime)
	t.late = late || !same // then it ended before ktime
	s.parser.Skip(n, t.handler(c, d))
	t.late = false
	s.last = ktime
	return same
}

// miss notes that messages may have been lost: what was in flight cannot be
// told apart from them. The next request that begins a turn is a new start.
func (t *Table) miss(c *conn) {
	if c.mode != live {
		return
	}
	c.insync = false
	if c.known && c.streams[c.requests].parser != nil && c.streams[c.requests].parser.State() == httpparse.StateHead {
		t.stats.Requests++ // its head began
		t.stats.DroppedLost++
	}
	t.dropPending(c, &t.stats.DroppedLost)
	t.freeStreams(c)
	for d := range c.streams {
		c.streams[d].lost = true
	}
	if c.piped {
		c.mode = broken
	}
}

// follow says that the bytes of e are parsed, and not passed over.
func (t *Table) follow(c *conn, e *event.Data) bool {
	s := &c.streams[e.Dir]
	if !c.known {
		if !startsMessage(e) {
			return false
		}
		c.requests, c.known = requestsOf(e), true
		if c.requests == event.Send {
			t.outbound++
		}
		if beginsFastCGI(e) {
			c.mode = fastcgi
			return false
		}
	}
	switch {
	case s.lost:
		if !startsTurn(e) || requestsOf(e) != c.requests || !unmistakable(e.Payload) {
			return false
		}
		s.lost = false
	case s.idle() && len(e.Payload) == 0:
		if e.Total > maxStray {
			t.miss(c)
		}
		return false
	}
	return true
}

// maxStray is the length of two line breaks, which some clients send behind a
// body (RFC 9112 section 2.2).
const maxStray = 4

// countRequest counts a request that is not followed.
func (t *Table) countRequest(c *conn, e *event.Data) {
	if c.mode == left || !startsMessage(e) || isResponse(e) || c.known && e.Dir != c.requests {
		return
	}
	t.stats.Requests++
	if c.mode == broken {
		t.stats.DroppedBroken++
	} else {
		t.stats.DroppedLost++
	}
}

// feed parses a slice: what was captured, what was not, and the tail.
func (t *Table) feed(c *conn, e *event.Data) {
	s, h := &c.streams[e.Dir], t.handler(c, e.Dir)
	if startsTurn(e) {
		t.conclude(c, e)
	}
	t.begin(c, e.Dir, e.Ktime)
	t.turn = e.Turn
	if s.idle() {
		s.first, s.start, s.facing, s.exact = e.First, e.Pos, c.otherPos(e), true
	}
	p := t.parserOf(c, e.Dir)
	tail := e.TailBytes()
	p.Feed(e.Payload, h)
	hidden := false // messages behind the one that was captured
	if n := int64(e.Total) - int64(len(e.Payload)) - int64(len(tail)); n > 0 {
		hidden = !c.within(p, n+int64(len(tail)))
		p.Skip(n, h)
	}
	if !hidden {
		p.Feed(tail, h)
	}
	switch {
	case p.HTTP2():
		t.stats.HTTP2++
		c.mode = left
		c.http2 = true
	case t.astray || hidden:
		t.miss(c)
	}
	t.astray = false
}

// within says that the next n bytes are of the message in progress, as far as
// can be known. Without framing the rest of a turn is taken to be, unless the
// client is known not to wait for responses.
func (c *conn) within(p *httpparse.Parser, n int64) bool {
	switch {
	case p.Skippable() >= n:
		return true
	case p.State() == httpparse.StateLength || c.piped:
		return false
	}
	return p.InMessage() || p.State() == httpparse.StateHead // its head is cut: where it ends is not known
}

// conclude ends messages without framing where a message that begins a turn
// shows that they are over: a new request ends the response before, and the
// request before if that was answered.
func (t *Table) conclude(c *conn, e *event.Data) {
	if e.Dir != c.requests {
		return
	}
	if s := c.replies(); s.unframed() {
		t.begin(c, c.requests.Other(), s.last)
		s.parser.Boundary((*responses)(t))
	}
	if s := &c.streams[c.requests]; s.unframed() && (c.open == nil || c.open.x.HasResponse()) {
		t.begin(c, c.requests, s.last)
		s.parser.Boundary((*requests)(t))
	}
}

// mark notes when a direction goes quiet: when the kernel says so, or, should
// that record be lost, with the first that has no payload.
func (t *Table) mark(c *conn, e *event.Data) {
	s, key := &c.streams[e.Dir], quietKey{c.id, e.Dir}
	quiet := e.Flags&event.DataQuiet != 0 || len(e.Payload) == 0
	s.counted = quiet
	switch {
	case quiet && !s.quiet && c.mode == live:
		s.quiet = true
		s.seen = 0
		t.quiet[key] = c
	case !quiet && s.quiet:
		t.unquiet(key, s)
	}
}

// catchUp brings both directions to where the kernel says they ended.
func (t *Table) catchUp(c *conn, e *event.EOF) {
	for _, d := range []event.Dir{c.requests, c.requests.Other()} {
		if !t.skip(c, d, e.Pos[d], e.LastKtime[d], false) {
			t.miss(c)
		}
	}
}

func (t *Table) eof(c *conn, d event.Dir) {
	s := &c.streams[d]
	if s.parser == nil || c.mode != live {
		return
	}
	t.begin(c, d, s.last)
	s.parser.EOF(t.handler(c, d))
	t.astray = false // part of a head, of which there will be no more
}

// settle acts on what the parsers found, once they have returned.
func (t *Table) settle(c *conn) {
	for d := range c.streams {
		s := &c.streams[d]
		if s.parser == nil {
			continue
		}
		switch {
		case s.parser.Idle():
			t.putParser(s)
		case c.piped && s.parser.State() == httpparse.StateLost: // whole messages may hide in what was not seen
			c.mode = broken
		}
	}
	if c.mode != live {
		t.dropPending(c, &t.stats.DroppedBroken)
		t.freeStreams(c)
	}
}

// begin says what the parsers' callbacks are about.
func (t *Table) begin(c *conn, d event.Dir, ktime uint64) {
	t.cur, t.dir, t.now = c, d, ktime
}

func (t *Table) handler(c *conn, d event.Dir) httpparse.Handler {
	if d == c.requests {
		return (*requests)(t)
	}
	return (*responses)(t)
}

func (t *Table) parserOf(c *conn, d event.Dir) *httpparse.Parser {
	s := &c.streams[d]
	if s.parser != nil {
		return s.parser
	}
	kind := c.kind(d)
	if n := len(t.freeParsers); n > 0 {
		s.parser = t.freeParsers[n-1]
		t.freeParsers = t.freeParsers[:n-1]
		s.parser.Reset(kind)
	} else {
		s.parser = httpparse.New(kind, httpparse.Limits{Fields: t.limits.Fields, Scratch: t.scratch})
	}
	return s.parser
}

func (t *Table) putParser(s *stream) {
	if len(t.freeParsers) < maxFree {
		t.freeParsers = append(t.freeParsers, s.parser)
	}
	s.parser = nil
}

// release handles what was held: the response to the request that just came.
func (t *Table) release(c *conn) {
	held := c.held
	c.held = nil
	for _, h := range held {
		t.take(c, &h.e)
	}
}
