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

// slice feeds one slice to its direction's parser: first what both directions
// did without a record, then what was captured, what was not, and the tail.
func (t *Table) slice(c *conn, e *event.Data) {
	s := &c.streams[e.Dir]
	end := e.Pos + uint64(e.Total)
	if e.Pos < s.pos {
		t.stats.Reordered++
		return
	}
	if !c.learn(e) {
		s.pos, s.last = end, e.Ktime
		return
	}
	c.tgid, c.tid = e.TGID, e.TID
	if other := e.Dir.Other(); e.OtherPos > c.streams[other].pos {
		t.begin(c, other, e.OtherKtime)
		t.skipTo(c, other, e.OtherPos, e.OtherKtime)
	}
	t.begin(c, e.Dir, e.Ktime)
	if e.Pos > s.pos {
		t.stats.LostBytes += e.Pos - s.pos
		t.skipTo(c, e.Dir, e.Pos, e.Ktime)
	}
	if s.idle() {
		s.first = e.Ktime
	}
	p := t.parserOf(c, e.Dir)
	if e.Flags&event.DataHead != 0 && p.State() == httpparse.StateLost && p.InMessage() {
		p.Boundary(t.handler(c, e.Dir))
	}
	tail := e.TailBytes()
	p.Feed(e.Payload, t.handler(c, e.Dir))
	if n := int(e.Total) - len(e.Payload) - len(tail); n > 0 {
		p.Skip(int64(n), t.handler(c, e.Dir))
	}
	p.Feed(tail, t.handler(c, e.Dir))
	s.pos, s.last = end, e.Ktime
	t.mark(c, e)
	t.settle(c)
}

// mark notes whether more records are to come.
func (t *Table) mark(c *conn, e *event.Data) {
	s, key := &c.streams[e.Dir], quietKey{c.id, e.Dir}
	quiet := e.Flags&event.DataQuiet != 0
	if quiet == s.quiet {
		return
	}
	if quiet {
		s.quiet = true
		t.quiet[key] = c
		return
	}
	t.unquiet(key, s)
}

// skipTo accounts for bytes that moved without being seen, at ktime at the latest.
func (t *Table) skipTo(c *conn, d event.Dir, pos, ktime uint64) {
	s := &c.streams[d]
	if pos <= s.pos {
		return
	}
	n := min(pos-s.pos, math.MaxInt64)
	if s.idle() {
		s.first = ktime
	}
	t.parserOf(c, d).Skip(int64(n), t.handler(c, d))
	s.pos, s.last = pos, ktime
}

// catchUp brings both directions to where the kernel says they ended.
func (t *Table) catchUp(c *conn, e *event.EOF) {
	for _, d := range []event.Dir{c.requests, c.requests.Other()} {
		t.begin(c, d, e.LastKtime[d])
		t.skipTo(c, d, e.Pos[d], e.LastKtime[d])
	}
}

func (t *Table) eof(c *conn, d event.Dir) {
	s := &c.streams[d]
	if s.parser == nil || c.mode != live {
		return
	}
	t.begin(c, d, s.last)
	s.parser.EOF(t.handler(c, d))
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
		}
	}
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
