// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"bytes"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// mode says what is still done with a connection's bytes.
type mode uint8

const (
	live    mode = iota
	fastcgi      // requests are told to the Linker, so that what they cause is linked; they have no spans
	left         // it left HTTP/1: 101, CONNECT, or HTTP/2 from the start
	broken       // its exchanges cannot be told apart any more: its requests are counted
)

// conn is one connection. Its streams are cut into messages and its messages
// paired into exchanges.
type conn struct {
	id         uint64
	peer       spanbuilder.Peer
	streams    [2]stream // by event.Dir
	mode       mode
	known      bool      // requests is known
	requests   event.Dir // the direction in which requests flow, valid iff known
	fresh      bool      // nothing moved before it was seen
	started    bool      // a slice was handled
	turn       uint16    // of that slice
	lastDir    event.Dir // of that slice
	insync     bool      // every message since the beginning, or since the last complete exchange, is known
	http2      bool      // it left HTTP/1 for HTTP/2
	piped      bool      // its client does not wait for responses
	guessed    bool      // the end of the last response was not told by its framing
	recvEOF    bool      // the peer's end of stream was read
	pending    []*pending
	hidden     *spanbuilder.Exchange // fastcgi: the request being served
	open       *pending              // whose request has not ended
	held       []*heldData           // responses that were reported before their requests
	lastSeen   uint64                // ktime
	tgid       uint32                // of the event being handled
	tid        uint32
	task       uint64 // goroutine, and the one that started it
	parentTask uint64
	target     *spanbuilder.Target // of process targetOf, found once: it may end before its last request is handled
	targetOf   uint32
	seq        [2]uint32 // TCP: sequence number of position 0, by direction
	self       uint64    // unix: names of both ends
	peerSelf   uint64
	prev       *conn // in the table's list, most recently used first
	next       *conn
}

// stream is one direction of a connection.
type stream struct {
	pos     uint64            // position that is expected next
	parser  *httpparse.Parser // nil at a clean message boundary
	lost    bool              // bytes are passed over until a message begins a turn
	first   uint64            // ktime of the current message's first byte
	start   uint64            // its position ...
	facing  uint64            // ... and where the other direction stood then
	exact   bool              // both are known
	last    uint64            // ktime of the last byte that was accounted for
	counted bool              // the kernel may only move the progress entry
	quiet   bool              // and that is looked at
	seen    uint64            // progress at the last Poll
	seenAt  uint64            // its ktime
}

// pending is an exchange whose response has not ended.
type pending struct {
	x      spanbuilder.Exchange
	method httpparse.Method
	turn   uint16 // in which its request began
	cut    bool   // the request ended before its framing did
}

// heldData is a copy of an event that waits for its request.
type heldData struct {
	e       event.Data
	payload []byte
}

func (s *stream) idle() bool      { return s.parser == nil || s.parser.Idle() }
func (s *stream) inMessage() bool { return s.parser != nil && s.parser.InMessage() }

// unframed says that a message is in progress whose end framing does not tell.
func (s *stream) unframed() bool {
	return s.inMessage() && s.parser.State() == httpparse.StateLost
}

// findTarget returns what spans of the process that moves the bytes have in common.
func (c *conn) findTarget(targets func(tgid uint32) *spanbuilder.Target) *spanbuilder.Target {
	if c.target == nil || c.targetOf != c.tgid {
		c.target, c.targetOf = targets(c.tgid), c.tgid
	}
	return c.target
}

func (c *conn) replies() *stream { return &c.streams[c.requests.Other()] }

func (c *conn) kind(d event.Dir) httpparse.Kind {
	if d == c.requests {
		return httpparse.Request
	}
	return httpparse.Response
}

// startsMessage says that e begins a message, as the kernel saw by its first bytes.
func startsMessage(e *event.Data) bool { return e.Flags&event.DataHead != 0 && len(e.Payload) > 0 }

// startsTurn says that e begins a message and a turn: nothing of an earlier
// message of its direction can be meant.
func startsTurn(e *event.Data) bool { return startsMessage(e) && e.Flags&event.DataTurn != 0 }

func isResponse(e *event.Data) bool { return bytes.HasPrefix(e.Payload, []byte("HTTP/")) }

// key returns how the other end knows the exchange whose request begins.
func (c *conn) key() link.Key {
	s := &c.streams[c.requests]
	if !s.exact {
		return link.Key{}
	}
	if !c.peer.IsUnix() {
		return link.TCPKey(c.seq[c.requests]+uint32(s.start), c.seq[c.requests.Other()]+uint32(s.facing))
	}
	if c.self == 0 || c.peerSelf == 0 {
		return link.Key{}
	}
	if c.requests == event.Recv {
		return link.UnixKey(c.peerSelf, c.self, s.start)
	}
	return link.UnixKey(c.self, c.peerSelf, s.start)
}

// requestsOf returns the direction of requests that e, which starts a message, shows.
func requestsOf(e *event.Data) event.Dir {
	if isResponse(e) {
		return e.Dir.Other()
	}
	return e.Dir
}

// otherPos returns where the other direction stood, but for slices that are held.
func (c *conn) otherPos(e *event.Data) uint64 {
	if len(c.held) > 0 && e.Dir == event.Send {
		return min(e.OtherPos, c.held[0].e.Pos)
	}
	return e.OtherPos
}

// skipsTurn says that a whole turn was lost before e.
func (c *conn) skipsTurn(e *event.Data) bool {
	turns := uint16(0)
	if e.Dir != c.lastDir {
		turns = 1
	}
	return e.Turn-c.turn != turns
}

// overtaken says that e is of a response whose request has not been reported
// yet. Two threads race there: the one that sent the request reports it after
// the bytes have left, and the one that reads the response may be faster. Only
// on a connection of which everything is known can this be told from a response
// to a request that nobody saw.
func (c *conn) overtaken(e *event.Data) bool {
	if e.Dir != event.Recv || len(c.pending) > 0 || c.started && c.skipsTurn(e) {
		return false
	}
	if len(c.held) > 0 {
		return true
	}
	if !startsMessage(e) || !isResponse(e) || !c.streams[event.Recv].idle() {
		return false
	}
	if !c.started {
		return c.fresh
	}
	return c.insync && c.known && c.requests == event.Send
}

// hold keeps a copy of e until its request is reported.
func (c *conn) hold(e *event.Data) {
	h := &heldData{e: *e, payload: bytes.Clone(e.Payload)}
	h.e.Payload = h.payload
	c.held = append(c.held, h)
	c.turn, c.lastDir = e.Turn, e.Dir
}

// unmistakable says that b begins with a response or a usual method, and not
// with the rest of a body that was held back with a request.
func unmistakable(b []byte) bool {
	if bytes.HasPrefix(b, []byte("HTTP/")) {
		return true
	}
	method, _, _ := bytes.Cut(b, []byte(" "))
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return true
	}
	return false
}
