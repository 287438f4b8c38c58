// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// mode says what is still done with a connection's bytes.
type mode uint8

const (
	live   mode = iota
	tunnel      // it left HTTP: 101 or CONNECT
	broken      // its exchanges cannot be told apart any more, or it is not HTTP/1
)

// conn is one connection. Its streams are cut into messages and its messages
// paired into exchanges.
type conn struct {
	id       uint64
	peer     spanbuilder.Peer
	streams  [2]stream // by event.Dir
	mode     mode
	known    bool      // requests is known
	proven   bool      // and was right: a head was parsed
	requests event.Dir // the direction in which requests flow, valid iff known
	start    []byte    // first bytes, too few to learn requests from
	lastDir  event.Dir // of the last slice
	fresh    bool      // nothing moved before it was seen
	insync   bool      // every request since the last clean turn is known
	unsure   bool      // that turn was a guess, and no exchange was complete since
	early    bool      // the response to the next request was seen already
	piped    bool      // its client does not wait for responses
	answered bool      // a response was seen, if only in part
	vague    bool      // and it is the part of one
	asked    uint64    // position of the requests when it began, valid iff answered
	recvEOF  bool      // the peer's end of stream was read
	pending  []*pending
	open     *pending    // whose request has not ended
	held     []*heldData // responses that were reported before their requests
	lastSeen uint64      // ktime
	tgid     uint32      // of the event being handled
	tid      uint32
	prev     *conn // in the table's list, most recently used first
	next     *conn
}

// stream is one direction of a connection.
type stream struct {
	pos    uint64            // position that is expected next
	parser *httpparse.Parser // nil at a clean message boundary
	first  uint64            // ktime of the current message's first byte
	last   uint64            // ktime of the last byte that was accounted for
	quiet  bool              // the kernel may only move the progress entry
	seen   uint64            // progress at the last Poll
	seenAt uint64            // its ktime
}

// pending is an exchange whose response has not ended.
type pending struct {
	x      spanbuilder.Exchange
	method httpparse.Method
	cut    bool // the request ended before its framing did
}

// heldData is a copy of an event that waits for its request.
type heldData struct {
	e       event.Data
	payload []byte
}

// learn finds out from the first bytes which way requests flow. As long as
// they are too few ("H" may begin HEAD or HTTP/) they are kept in start.
func (c *conn) learn(e *event.Data) bool {
	s := &c.streams[e.Dir]
	if e.Pos != s.pos || c.lastDir != e.Dir || len(e.Payload) == 0 {
		c.start = c.start[:0]
	}
	if len(e.Payload) == 0 || e.Pos != s.pos && !unmistakable(e.Payload) {
		return false
	}
	if len(c.start) == 0 {
		s.first = e.Ktime
	}
	n := len(c.start)
	c.start = append(c.start, e.Payload[:min(len(e.Payload), len(statusPrefix)-n)]...)
	if len(c.start) < len(statusPrefix) && isPrefix(c.start, statusPrefix) {
		return false
	}
	c.requests = e.Dir
	if string(c.start) == statusPrefix {
		c.requests = e.Dir.Other()
	}
	c.start = c.start[:n]
	c.known = true
	c.insync = e.Pos == s.pos && e.Pos == uint64(n) && c.otherPos(e) == 0
	s.pos, c.streams[e.Dir.Other()].pos = e.Pos, c.otherPos(e)
	return true
}

// otherPos returns where the other direction stood, but for slices that are held.
func (c *conn) otherPos(e *event.Data) uint64 {
	if len(c.held) > 0 && e.Dir == event.Send {
		return min(e.OtherPos, c.held[0].e.Pos)
	}
	return e.OtherPos
}

func (c *conn) kind(d event.Dir) httpparse.Kind {
	if d == c.requests {
		return httpparse.Request
	}
	return httpparse.Response
}

// overtaken says that e starts a response whose request has not been reported
// yet. Two threads race there: the one that sent the request reports it after
// the bytes have left, and the one that reads the response may be faster. It
// shows in that all requests have been answered, or that no byte was sent since
// the last response began.
func (c *conn) overtaken(e *event.Data) bool {
	if e.Dir != event.Recv {
		return false
	}
	if len(c.held) > 0 {
		return true
	}
	if !startsWith(e.Payload, statusPrefix) {
		return false
	}
	if !c.known {
		return c.fresh && e.Pos == 0 && e.OtherPos == 0
	}
	reqs, resp := &c.streams[event.Send], &c.streams[event.Recv]
	if c.requests == event.Recv || e.OtherPos > reqs.pos || reqs.lost() {
		return false
	}
	if (!c.insync || c.unsure) && (!c.answered || c.vague || reqs.pos != c.asked) {
		return false
	}
	return len(c.pending) == 0 && !resp.inMessage()
}

func (s *stream) idle() bool { return s.parser == nil || s.parser.Idle() }

func (s *stream) inMessage() bool { return s.parser != nil && s.parser.InMessage() }

func (s *stream) lost() bool { return s.parser != nil && s.parser.State() == httpparse.StateLost }

// answer notes that a response began, or that all that is known is that one did.
func (c *conn) answer(vague bool) {
	c.asked, c.answered, c.vague = c.streams[c.requests].pos, true, vague
}

// replies returns the stream of responses.
func (c *conn) replies() *stream { return &c.streams[c.requests.Other()] }
