// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"bytes"
	"math"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
)

// maxHeld bounds the slices of one connection that wait for their request.
const maxHeld = 4

// slice takes one slice: first what moved without a record, then itself.
func (t *Table) slice(c *conn, e *event.Data) {
	s := &c.streams[e.Dir]
	end := e.Pos + uint64(e.Total)
	if e.Pos < s.pos {
		t.stats.Reordered++
		return
	}
	if !c.known && !c.learn(e) {
		s.pos, s.last, c.lastDir = end, e.Ktime, e.Dir
		return
	}
	c.tgid, c.tid = e.TGID, e.TID
	t.account(c, e)
	if c.mode == live {
		t.feed(c, e)
	}
	s.pos, s.last, c.lastDir = end, e.Ktime, e.Dir
	t.mark(c, e)
	t.settle(c)
}

// account catches up with what both directions did before e.
func (t *Table) account(c *conn, e *event.Data) {
	other, otherPos := e.Dir.Other(), c.otherPos(e)
	own, across := e.Pos > c.streams[e.Dir].pos, otherPos > c.streams[other].pos
	t.gap, t.turned = own, across || c.lastDir != e.Dir
	if e.Dir != c.requests {
		own, across = across, own
	}
	if own && !across && c.ahead() {
		t.abandon(c)
		return
	}
	if otherPos == e.OtherPos {
		t.skipTo(c, other, otherPos, e.OtherKtime)
	} else {
		t.skipLate(c, other, otherPos)
	}
	t.skipLate(c, e.Dir, e.Pos)
}

// skipLate is skipTo for bytes of which no record tells when they moved.
func (t *Table) skipLate(c *conn, d event.Dir, pos uint64) {
	s := &c.streams[d]
	if pos <= s.pos {
		return
	}
	if s.quiet {
		if p, ktime, ok := t.kernel.Progress(c.id, d); ok && p <= pos {
			t.skipTo(c, d, p, ktime)
		}
	}
	t.late = true
	t.skipTo(c, d, pos, s.last)
	t.late = false
}

// ahead says that bytes in the direction of requests now are of a further
// request, while one that is complete has not been answered.
func (c *conn) ahead() bool {
	return len(c.pending) > 0 && c.streams[c.requests].idle() && !(c.pending[0].x.HasResponse() && c.replies().lost())
}

// feed parses a slice: what was captured, what was not, and the tail.
func (t *Table) feed(c *conn, e *event.Data) {
	t.begin(c, e.Dir, e.Ktime)
	s := &c.streams[e.Dir]
	h := t.handler(c, e.Dir)
	p := t.parserOf(c, e.Dir)
	if len(c.start) > 0 {
		p.Feed(c.start, h)
		c.start = nil
	} else if s.idle() || s.lost() && !p.InMessage() {
		s.first = e.Ktime
	}
	tail := e.TailBytes()
	if p.State() == httpparse.StateHead && t.turned && e.Flags&event.DataHead != 0 && unmistakable(e.Payload) {
		p.Boundary(h) // what was taken for the start of a head was none
		s.first = e.Ktime
	}
	if s.lost() {
		switch {
		case t.intrudes(c, e):
			t.doubt(c, e.Dir)
		case !t.restarts(c, e):
			t.pass(p, e, h)
			return
		}
		p.Boundary(h)
	}
	if p.Idle() && !begins(c.kind(e.Dir), e.Payload) {
		p.Skip(int64(e.Total), h)
		return
	}
	p.Feed(e.Payload, h)
	if n := int(e.Total) - len(e.Payload) - len(tail); n > 0 {
		t.loose = p.InMessage() && p.Skippable() < int64(n)
		p.Skip(int64(n), h)
		t.loose = false
	}
	p.Feed(tail, h)
}

// mark notes when a direction goes quiet: when the kernel says so, or, should
// that record be lost, with the first that has no payload.
func (t *Table) mark(c *conn, e *event.Data) {
	s, key := &c.streams[e.Dir], quietKey{c.id, e.Dir}
	switch quiet := e.Flags&event.DataQuiet != 0 || len(e.Payload) == 0; {
	case quiet && !s.quiet:
		s.quiet = true
		s.seen = 0
		t.quiet[key] = c
	case !quiet && s.quiet:
		t.unquiet(key, s)
	}
}

// skipTo accounts for bytes that moved without being seen, at ktime at the latest.
func (t *Table) skipTo(c *conn, d event.Dir, pos, ktime uint64) {
	s := &c.streams[d]
	if pos <= s.pos {
		return
	}
	t.begin(c, d, ktime)
	n := int64(min(pos-s.pos, math.MaxInt64))
	if !s.quiet {
		t.stats.LostBytes += uint64(n)
	}
	if s.idle() {
		s.first = ktime
	}
	if s.lost() && !c.expected(d) {
		t.doubt(c, d)
	}
	p := t.parserOf(c, d)
	t.loose = p.InMessage() && (p.Skippable() < n || t.late)
	p.Skip(n, t.handler(c, d))
	t.loose = false
	s.pos = pos
	if !t.late {
		s.last = ktime
	}
}

// expected says that the kernel may have left bytes without a record: those of
// the body in progress, while nothing can come behind it.
func (c *conn) expected(d event.Dir) bool {
	if d == c.requests {
		return c.streams[d].quiet && c.open != nil
	}
	return c.streams[d].quiet && len(c.pending) <= 1
}

// doubt notes that messages may hide in what was lost.
func (t *Table) doubt(c *conn, d event.Dir) {
	c.insync = false
	if d != c.requests {
		c.answer(true)
		t.dropPending(c, &t.stats.DroppedLost)
	}
}

// catchUp brings both directions to where the kernel says they ended.
func (t *Table) catchUp(c *conn, e *event.EOF) {
	for _, d := range []event.Dir{c.requests, c.requests.Other()} {
		t.skipTo(c, d, e.Pos[d], e.LastKtime[d])
	}
}

func (t *Table) eof(c *conn, d event.Dir) {
	s := &c.streams[d]
	if s.parser == nil || c.mode != live {
		return
	}
	t.begin(c, d, s.last)
	t.ending = true
	s.parser.EOF(t.handler(c, d))
	t.ending = false
}

// settle acts on what the parsers found, once they have returned.
func (t *Table) settle(c *conn) {
	for d := range c.streams {
		s := &c.streams[d]
		if s.parser == nil {
			continue
		}
		switch s.parser.State() {
		case httpparse.StateBoundary:
			t.putParser(s)
		case httpparse.StateHTTP2:
			t.stats.HTTP2++
			t.abandon(c)
		case httpparse.StateLost:
			if c.piped { // whole messages may hide in what was not seen
				t.abandon(c)
			}
		}
	}
	if t.misled && !c.proven {
		c.known = false
		t.freeStreams(c)
	}
	t.misled = false
	if c.mode != live {
		t.dropPending(c, &t.stats.DroppedBroken)
		t.freeStreams(c)
	}
}

// abandon stops following c.
func (t *Table) abandon(c *conn) {
	c.mode = broken
	t.dropPending(c, &t.stats.DroppedBroken)
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
	if !s.parser.Idle() { // it may hold part of a head
		s.parser.Reset(httpparse.Request)
	}
	if len(t.freeParsers) < maxFree {
		t.freeParsers = append(t.freeParsers, s.parser)
	}
	s.parser = nil
}

// hold keeps a copy of e until its request is reported.
func (c *conn) hold(e *event.Data) {
	h := &heldData{e: *e, payload: bytes.Clone(e.Payload)}
	h.e.Payload = h.payload
	c.held = append(c.held, h)
}

// release handles what was held.
func (t *Table) release(c *conn) {
	held := c.held
	c.held = nil
	for _, h := range held {
		if c.mode == live {
			t.slice(c, &h.e)
		}
	}
}
