// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"bytes"

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
	requests event.Dir // the direction in which requests flow, valid iff known
	fresh    bool      // nothing moved before it was seen
	insync   bool      // no head was lost
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
	quiet  bool              // the kernel only moves the progress entry
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

// learn finds out from the first bytes which way requests flow.
func (c *conn) learn(e *event.Data) bool {
	if c.known {
		return true
	}
	if len(e.Payload) == 0 {
		return false
	}
	c.requests = e.Dir
	if bytes.HasPrefix(e.Payload, []byte("HTTP/")) {
		c.requests = e.Dir.Other()
	}
	c.known = true
	return true
}

func (c *conn) kind(d event.Dir) httpparse.Kind {
	if d == c.requests {
		return httpparse.Request
	}
	return httpparse.Response
}

// overtaken says that e starts a response whose request has not been reported
// yet. Two threads race there: the one that sent the request reports it after
// the bytes have left, and the one that reads the response may be faster. Only
// a connection that was seen from its start, and of which nothing was lost,
// can tell this from a response to a request that nobody saw.
func (c *conn) overtaken(e *event.Data) bool {
	if e.Dir != event.Recv || !c.fresh || !c.insync || len(c.pending) > 0 {
		return false
	}
	if len(c.held) > 0 {
		return true
	}
	return bytes.HasPrefix(e.Payload, []byte("HTTP/")) && c.streams[event.Recv].parser == nil
}

func (s *stream) idle() bool { return s.parser == nil || s.parser.Idle() }
