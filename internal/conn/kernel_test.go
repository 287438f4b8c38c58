// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"bytes"
	"math"

	"github.com/tracer-agent/tracer-agent/internal/event"
)

// simConn is a model of one connection in the kernel programs (bpf/include/bytes.h
// and head.h): it turns socket calls into events for a Table.
type simConn struct {
	k      *simKernel
	id     uint64
	fresh  bool // seen from connect() on
	unix   bool
	pos    [2]uint64
	ktime  [2]uint64
	budget [2]int
	left   [2]int // records
	last   event.Dir
	turn   uint16
	early  [2][]byte // held back, as if they had not moved
	kind   [2]headKind
	since  [2]uint64 // ktime of the first of them
	idle   int
	http   bool
	known  bool // announced
	epoch  int  // when
}

// simKernel holds what connections share. It is a Kernel for the Table.
type simKernel struct {
	table        *Table
	now          uint64
	headBytes    [2]int          // of requests and of responses
	lose         func() bool     // decides for each record; nil: none is lost
	lost         int             // records
	lostRequests int             // requests that went with them
	dup          func() bool     // hands a record over twice
	queue        []func()        // records in the ring; nil: handed over at once
	queued       bool            // records wait for drain
	progress     map[quietKey]at // directions that only count
	forgotten    int
	epoch        int // of announcements
	recordsOut   int
	mirror       mirror // nil: none
}

// mirror is told what the model does, to do the same.
type mirror interface {
	record(rec any, lost bool) // of the call or end that is told next
	call(c *simConn, d event.Dir, b []byte, seen bool)
	ended(c *simConn, d event.Dir)
	closed(c *simConn, err uint32)
}

type at struct{ pos, ktime uint64 }

const (
	simPeek     = 32
	simRecords  = 4
	simPatience = 4
	simHeadMax  = 16384
	noDir       = event.Dir(0xff)
)

func newSimKernel(requestBytes, responseBytes int) *simKernel {
	return &simKernel{now: 1e9, headBytes: [2]int{requestBytes, responseBytes}, progress: map[quietKey]at{}}
}

func (k *simKernel) Progress(id uint64, d event.Dir) (pos, ktime uint64, ok bool) {
	p, ok := k.progress[quietKey{id, d}]
	return p.pos, p.ktime, ok
}

func (k *simKernel) ForgetProgress(id uint64, d event.Dir) {
	k.forgotten++
	delete(k.progress, quietKey{id, d})
}

func (k *simKernel) Reannounce() { k.epoch++ }

func (k *simKernel) tick(ns uint64) uint64 {
	k.now += ns
	return k.now
}

func (k *simKernel) open(id uint64) *simConn { return &simConn{k: k, id: id, last: noDir} }

// emit hands a record to the Table, unless it is lost.
func (k *simKernel) emit(rec any) bool {
	lost := k.lose != nil && k.lose()
	if k.mirror != nil {
		k.mirror.record(rec, lost)
	}
	if lost {
		k.lost++
		return false
	}
	k.recordsOut++
	f := func() { k.deliver(rec) }
	if k.queued {
		k.queue = append(k.queue, f)
		return true
	}
	f()
	if k.dup != nil && k.dup() {
		f()
	}
	return true
}

func (k *simKernel) deliver(rec any) {
	switch e := rec.(type) {
	case *event.Conn:
		k.table.Conn(e)
	case *event.Data:
		k.table.Data(e)
	case *ended:
		if e.closed {
			k.table.Close(&e.EOF)
		} else {
			k.table.EOF(&e.EOF)
		}
	}
}

func (k *simKernel) drain() {
	q := k.queue
	k.queue = nil
	for _, f := range q {
		f()
	}
}

type headKind int

const (
	headNone headKind = iota
	headRequest
	headResponse
	headMaybe
)

func simHeadKind(b []byte) headKind {
	if bytes.HasPrefix(b, []byte("HTTP/")) {
		return headResponse
	}
	upper := true
	for i := range 24 {
		if i >= len(b) {
			return headMaybe
		}
		c := b[i]
		if c == ' ' {
			return simTarget(b, i, upper)
		}
		if !bytes.ContainsRune([]byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), rune(c)) || c > 127 {
			return headNone
		}
		upper = upper && c >= 'A' && c <= 'Z'
	}
	return headNone
}

func simTarget(b []byte, i int, upper bool) headKind {
	switch {
	case i == 0:
		return headNone
	case i+1 >= len(b):
		return headMaybe
	case b[i+1] == '/' || b[i+1] == '*':
		return headRequest
	case upper && (b[i+1]|0x20 == 'h' || string(b[:i]) == "CONNECT"):
		return headRequest
	}
	return headNone
}

func (c *simConn) firstLook(d event.Dir, n int) int {
	want := max(c.budget[d], simPeek)
	if c.last != d && c.idle < simPatience || len(c.early[d]) > 0 {
		want = c.k.headBytes[0]
		if c.kind[d] == headResponse {
			want = c.k.headBytes[1]
		}
	}
	return min(want, n, simHeadMax-simPeek)
}

func (c *simConn) advance(d event.Dir, n int, kind headKind) (ship int) {
	turn := c.last != d
	if turn {
		c.turn++
	}
	if kind != headNone {
		c.budget[d] = c.k.headBytes[0]
		if c.kind[d] == headResponse {
			c.budget[d] = c.k.headBytes[1]
		}
		c.idle = 0
	} else if turn {
		c.idle = min(c.idle+1, 255)
	}
	if turn || kind != headNone {
		c.left[d] = simRecords
	}
	ship = min(n, c.budget[d])
	c.budget[d] -= ship
	c.pos[d] += uint64(n)
	c.ktime[d] = c.k.tick(1000)
	c.last = d
	return ship
}

func (c *simConn) recv(b []byte) uint64 { return c.call(event.Recv, b, true) }
func (c *simConn) send(b []byte) uint64 { return c.call(event.Send, b, true) }

// call is one socket call that moved b. It returns its time.
func (c *simConn) call(d event.Dir, b []byte, seen bool) uint64 {
	if len(b) == 0 {
		return c.k.now
	}
	now := c.move(d, b, seen)
	if c.k.mirror != nil {
		c.k.mirror.call(c, d, b, seen)
	}
	return now
}

func (c *simConn) move(d event.Dir, b []byte, seen bool) uint64 {
	if !seen {
		return c.unseen(d, len(b))
	}
	early := len(c.early[d])
	got := early + c.firstLook(d, len(b))
	whole := append(bytes.Clone(c.early[d]), b...)
	kind := simHeadKind(whole[:got])
	if kind == headMaybe && (got < len(whole) || c.last == d && early == 0) {
		kind = headNone
	}
	if kind == headMaybe && c.kind[d] != headResponse && got < simPeek {
		return c.holdBack(d, whole)
	}
	if kind != headNone && c.last == d && c.kind[d] != headNone && c.kind[d] != kind {
		kind = headNone
	}
	if kind == headRequest || kind == headResponse {
		c.kind[d] = kind
	}
	return c.ship(d, whole, got, kind)
}

func (c *simConn) unseen(d event.Dir, n int) uint64 {
	flags := uint32(event.DataUnseen)
	if c.last != d {
		flags |= event.DataTurn
	}
	c.pos[d] += uint64(len(c.early[d]))
	c.early[d] = nil
	c.advance(d, n, headNone)
	if c.known {
		c.count(d, make([]byte, n), false, flags)
	}
	return c.ktime[d]
}

func (c *simConn) holdBack(d event.Dir, b []byte) uint64 {
	now := c.k.tick(1000)
	if len(c.early[d]) == 0 {
		c.since[d] = now
	}
	c.early[d] = b
	return now
}

// ship is the rest of a call whose first got bytes were looked at.
func (c *simConn) ship(d event.Dir, b []byte, got int, kind headKind) uint64 {
	var flags uint32
	if kind == headRequest || kind == headResponse {
		flags |= event.DataHead
	}
	if c.last != d {
		flags |= event.DataTurn
	}
	joined := len(c.early[d]) > 0
	c.early[d] = nil
	ship := c.advance(d, len(b), kind)
	c.http = c.http || kind != headNone
	now := c.ktime[d]
	request := kind == headRequest
	if !c.http || !c.announce(now, request) {
		return now
	}
	if ship == 0 {
		c.count(d, b, true, flags)
		return now
	}
	if got < ship {
		got = min(ship, simHeadMax)
	}
	ship = min(ship, got)
	e := c.data(d, len(b), flags)
	if ship < len(b) && !joined {
		c.tail(&e, b)
	} else if joined {
		e.First = c.since[d]
		e.Flags |= event.DataEarly
	}
	e.Payload = bytes.Clone(b[:ship])
	if !c.k.emit(&e) && request {
		c.k.lostRequests++
	}
	return now
}

func (c *simConn) announce(now uint64, request bool) bool {
	if c.known && c.epoch == c.k.epoch {
		return true
	}
	fresh := c.fresh && !c.known
	e := event.Conn{Ktime: now, ID: c.id, TGID: 100, TID: 101, Fresh: fresh, Family: event.FamilyInet, Local: local, Remote: remote}
	if c.unix {
		e = event.Conn{Ktime: now, ID: c.id, TGID: 100, TID: 101, Fresh: fresh, Family: event.FamilyUnix, Path: "/run/app.sock"}
	}
	if !c.k.emit(&e) {
		if request {
			c.k.lostRequests++
		}
		return false
	}
	c.known, c.epoch = true, c.k.epoch
	return true
}

func (c *simConn) data(d event.Dir, n int, flags uint32) event.Data {
	return event.Data{
		Ktime: c.ktime[d], First: c.ktime[d], Turn: c.turn, Conn: c.id, Pos: c.pos[d] - uint64(n), OtherPos: c.pos[d.Other()], OtherKtime: c.ktime[d.Other()],
		Total: uint32(n), TGID: 100, TID: 101, Flags: flags, Dir: d,
	}
}

func (c *simConn) tail(e *event.Data, b []byte) {
	copy(e.Tail[:], b[max(0, len(b)-8):])
	e.Flags |= event.DataTail
}

func simEndsChunked(b []byte) bool {
	if len(b) == 5 {
		return string(b) == "0\r\n\r\n"
	}
	return bytes.HasSuffix(b, []byte("\r\n0\r\n\r\n"))
}

func (c *simConn) count(d event.Dir, b []byte, seen bool, flags uint32) {
	over := seen && simEndsChunked(b)
	if c.left[d] == 0 && !over {
		c.k.progress[quietKey{c.id, d}] = at{c.pos[d], c.ktime[d]}
		return
	}
	if c.left[d] > 0 {
		c.left[d]--
		if c.left[d] == 0 {
			flags |= event.DataQuiet
		}
	}
	e := c.data(d, len(b), flags)
	if seen {
		c.tail(&e, b)
	}
	c.k.emit(&e)
}

// ended is the record of a direction's end, or of the connection's.
type ended struct {
	event.EOF
	closed bool
}

func (c *simConn) end(d event.Dir, err uint32, closed bool) *ended {
	return &ended{event.EOF{Ktime: c.k.tick(1000), Conn: c.id, Pos: c.pos, LastKtime: c.ktime, Dir: d, Err: err}, closed}
}

// eof ends one direction.
func (c *simConn) eof(d event.Dir) {
	e := c.end(d, 0, false)
	if c.known {
		c.k.emit(e)
	}
	if c.k.mirror != nil {
		c.k.mirror.ended(c, d)
	}
}

// close ends the connection and returns the time.
func (c *simConn) close(err uint32) uint64 {
	e := c.end(event.Send, err, true)
	if c.known {
		c.k.emit(e)
		c.known, c.http = false, false
	}
	if c.k.mirror != nil {
		c.k.mirror.closed(c, err)
	}
	return e.Ktime
}

// split hands b over in calls of at most n bytes, and returns the times of the first and the last.
func (c *simConn) split(d event.Dir, b []byte, n int) (first, last uint64) {
	for first = math.MaxUint64; len(b) > 0; b = b[min(n, len(b)):] {
		last = c.call(d, b[:min(n, len(b))], true)
		first = min(first, last)
	}
	return first, last
}
