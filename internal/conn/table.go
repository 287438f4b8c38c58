// SPDX-License-Identifier: Apache-2.0

// Package conn keeps the connections of traced processes: it puts the slices
// that the kernel reports in order, makes gaps known, drives a parser for each
// direction, and pairs requests with responses.
package conn

import (
	"time"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// Limits bound what a Table keeps.
type Limits struct {
	Connections int           // the least recently used is dropped, counted
	Pipelined   int           // exchanges in flight on one connection
	IdleUnix    time.Duration // after which a unix connection is forgotten: nothing tells its end everywhere
	Fields      int           // header fields of a head
}

// Builder makes spans of exchanges; *spanbuilder.Builder is one.
type Builder interface {
	Request(*spanbuilder.Exchange, *httpparse.Head)
	Response(*spanbuilder.Exchange, *httpparse.Head)
	Done(*spanbuilder.Exchange)
	Drop(*spanbuilder.Exchange)
	Opened(t *spanbuilder.Target, conn uint64, tgid, tid uint32, ktime uint64)
	Moved(tgid, tid uint32, request *spanbuilder.Exchange)
	HTTP2(tgid uint32, ktime uint64, sent []byte)
	Hidden(*spanbuilder.Exchange)
}

// Kernel gives what the kernel counts without sending records.
type Kernel interface {
	// Progress tells how far a quiet direction got, and when.
	Progress(conn uint64, dir event.Dir) (pos, ktime uint64, ok bool)
	ForgetProgress(conn uint64, dir event.Dir)
	// Reannounce has every connection announced again before what it says next.
	Reannounce()
}

// Stats count what happened to messages. Every request that was recognised
// ends up in Exchanges or one of the drops.
type Stats struct {
	Requests        uint64 // request heads
	Exchanges       uint64 // handed to the Builder as done
	DroppedLost     uint64 // records of the response's head were lost
	DroppedBroken   uint64 // on a connection that could not be followed
	DroppedEvicted  uint64 // the table was full, or the connection idle for long
	Orphans         uint64 // responses whose request was not seen
	UnknownConn     uint64 // slices of connections that were not announced, or forgotten
	LostBytes       uint64 // bytes that no record told of
	Reordered       uint64 // slices that came late
	Desyncs         uint64 // runs of bytes in which no message could be recognised
	TruncatedHeads  uint64
	HTTP2           uint64 // connections that turned out to be HTTP/2
	Tunnels         uint64
	Overtaken       uint64 // responses that waited for their request
	OpenConnections int
	OpenExchanges   int
}

// Table holds all connections. It is used by one goroutine.
type Table struct {
	limits  Limits
	builder Builder
	kernel  Kernel
	targets func(tgid uint32) *spanbuilder.Target

	conns      map[uint64]*conn
	head, tail *conn // most and least recently used
	quiet      map[quietKey]*conn
	stats      Stats
	outbound   int    // connections on which requests are sent
	opened     uint64 // ktime of the last Open
	forgot     bool   // connections that may still be in use
	recalled   uint64 // when connections were last announced again

	scratch     *httpparse.Scratch // shared by all parsers: one of them works at a time
	freeParsers []*httpparse.Parser
	freePending []*pending

	// What the parsers' callbacks are about.
	cur  *conn
	dir  event.Dir
	now  uint64 // ktime of the bytes being parsed
	turn uint16 // of the slice being parsed

	late   bool // the bytes moved at some time before now
	astray bool // what was parsed is not the message that was due
}

type quietKey struct {
	id  uint64
	dir event.Dir
}

// NewTable returns an empty Table. targets says whose spans a process's are; nil
// for one that is not selected.
func NewTable(l Limits, b Builder, k Kernel, targets func(tgid uint32) *spanbuilder.Target) *Table {
	return &Table{
		limits: l, builder: b, kernel: k, targets: targets,
		conns: map[uint64]*conn{}, quiet: map[quietKey]*conn{}, scratch: new(httpparse.Scratch),
	}
}

// Stats returns the counts so far.
func (t *Table) Stats() Stats {
	s := t.stats
	s.OpenConnections = len(t.conns)
	return s
}

// Conn makes a connection known.
func (t *Table) Conn(e *event.Conn) {
	if t.conns[e.ID] != nil {
		return // others were forgotten, this one was not
	}
	for len(t.conns) >= t.limits.Connections && t.tail != nil {
		t.remove(t.tail, &t.stats.DroppedEvicted)
		t.forgot = true
	}
	c := &conn{seq: e.Seq, self: e.Self, peerSelf: e.Peer, id: e.ID, fresh: e.Fresh, lastSeen: e.Ktime, tgid: e.TGID, tid: e.TID}
	c.peer.Local, c.peer.Remote, c.peer.UnixPath = e.Local, e.Remote, e.Path
	t.conns[e.ID] = c
	t.pushFront(c)
}

// Data takes the next slice of a connection. It does not keep e.
func (t *Table) Data(e *event.Data) {
	c := t.conns[e.Conn]
	if c == nil { // forgotten
		t.forgot = true
		t.stats.UnknownConn++
		if startsMessage(e) && !isResponse(e) {
			t.stats.Requests++
			t.stats.DroppedEvicted++
		}
		return
	}
	t.touch(c, e.Ktime)
	if c.overtaken(e) && len(c.held) < maxHeld {
		t.stats.Overtaken++
		c.hold(e)
		return
	}
	if e.Dir == event.Recv {
		t.release(c) // too much to hold
	}
	t.slice(c, e)
	if e.Dir == event.Send {
		t.release(c)
	}
}

// EOF takes the end of one direction.
func (t *Table) EOF(e *event.EOF) {
	c := t.conns[e.Conn]
	if c == nil {
		return
	}
	t.touch(c, e.Ktime)
	if c.mode != live || !c.known {
		return
	}
	t.release(c)
	t.catchUp(c, e)
	c.recvEOF = c.recvEOF || e.Dir == event.Recv
	t.eof(c, e.Dir)
	t.settle(c)
}

// Close takes the end of a connection, and with it of its exchanges.
func (t *Table) Close(e *event.EOF) {
	c := t.conns[e.Conn]
	if c == nil {
		return
	}
	if c.mode == live && c.known {
		t.release(c)
		t.catchUp(c, e)
		for _, d := range []event.Dir{c.requests, c.requests.Other()} {
			t.eof(c, d)
		}
		if !c.insync { // what was lost may have been a response
			t.dropPending(c, &t.stats.DroppedLost)
		}
		for len(c.pending) > 0 {
			t.cut(c, e)
		}
	}
	t.remove(c, &t.stats.DroppedBroken)
}

// cut ends the oldest exchange, to which there will be no response.
func (t *Table) cut(c *conn, e *event.EOF) {
	p := c.pending[0]
	p.x.End = e.Ktime
	p.x.Outcome = spanbuilder.NoResponse
	if p.cut || c.open == p {
		p.x.Outcome = spanbuilder.RequestCut
	}
	if isReset(e.Err) {
		p.x.Outcome = spanbuilder.ConnectionReset
	}
	t.done(c)
}

// Poll looks after directions that have gone quiet: the kernel counts their
// bytes without sending records. Called a few times a second. What one call
// learns the next one uses: by then, if the ring was emptied in between, all
// records that were sent before have been handled.
func (t *Table) Poll() {
	for key, c := range t.quiet {
		s := &c.streams[key.dir]
		if !s.inMessage() || c.mode != live {
			t.unquiet(key, s)
			continue
		}
		if s.seen > s.pos {
			if !t.skip(c, key.dir, s.seen, s.seenAt, false) {
				t.miss(c)
			}
			t.settle(c)
			if !s.quiet {
				continue
			}
			if !s.inMessage() {
				t.unquiet(key, s)
				continue
			}
		}
		if pos, ktime, ok := t.kernel.Progress(key.id, key.dir); ok {
			s.seen, s.seenAt = pos, ktime
		}
	}
}

// Sweep forgets unix connections that have been idle for long, and ends their
// close-delimited responses: no backend sees a unix socket close. A request without a response is dropped: it may be answered yet.
// Of heads that were parsed nothing is kept beyond a Sweep.
func (t *Table) Sweep(now uint64) {
	t.scratch.Forget()
	if t.recalled != 0 && now-t.recalled < recallEvery {
		return
	}
	for c := t.tail; c != nil; {
		prev := c.prev
		if c.peer.IsUnix() && now > c.lastSeen && now-c.lastSeen > uint64(t.limits.IdleUnix) {
			if c.known {
				t.eof(c, c.requests.Other())
			}
			t.remove(c, &t.stats.DroppedEvicted)
			t.forgot = true
		}
		c = prev
	}
	if t.forgot {
		t.recall(now)
	}
}

// recallEvery is the least time between two announcements of all connections, in
// nanoseconds: each costs a record for each connection that is in use.
const recallEvery = 5e9

// recall has what was forgotten announced again, should it be in use.
func (t *Table) recall(now uint64) {
	t.forgot, t.recalled = false, now
	t.kernel.Reannounce()
}

func (t *Table) unquiet(key quietKey, s *stream) {
	s.quiet = false
	delete(t.quiet, key)
	t.kernel.ForgetProgress(key.id, key.dir)
}

// remove forgets c; exchanges in flight are dropped and counted in dropped.
func (t *Table) remove(c *conn, dropped *uint64) {
	t.dropPending(c, dropped)
	t.endHidden(c)
	t.freeStreams(c)
	t.unlink(c)
	delete(t.conns, c.id)
	if c.known && c.requests == event.Send {
		t.outbound--
	}
}

func (t *Table) freeStreams(c *conn) {
	for d := range c.streams {
		s := &c.streams[d]
		if s.quiet {
			t.unquiet(quietKey{c.id, event.Dir(d)}, s)
		}
		if s.parser != nil {
			t.putParser(s)
		}
	}
}

func (t *Table) dropPending(c *conn, dropped *uint64) {
	for len(c.pending) > 0 {
		*dropped++
		t.builder.Drop(&c.pending[0].x)
		t.pop(c)
	}
}

func (t *Table) touch(c *conn, ktime uint64) {
	c.lastSeen = ktime
	if t.head != c {
		t.unlink(c)
		t.pushFront(c)
	}
}

func (t *Table) pushFront(c *conn) {
	c.prev, c.next = nil, t.head
	if t.head != nil {
		t.head.prev = c
	}
	t.head = c
	if t.tail == nil {
		t.tail = c
	}
}

func (t *Table) unlink(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		t.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		t.tail = c.prev
	}
	c.prev, c.next = nil, nil
}

// Quiet returns the number of directions that Poll looks after.
func (t *Table) Quiet() int { return len(t.quiet) }
