// SPDX-License-Identifier: Apache-2.0

package httpparse

import "math"

// State is where a Parser stands, for metrics and debugging.
type State uint8

const (
	StateBoundary   State = iota // between messages
	StateHead                    // part of a head is buffered
	StateLength                  // in a body of known length
	StateChunked                 // in a chunked body
	StateUntilClose              // in a body that lasts until EOF
	StateTunnel                  // the connection left HTTP; bytes are ignored
	StateLost                    // framing was lost; looking for the next message start
	StateHTTP2                   // the stream is HTTP/2; bytes are ignored
	StateClosed                  // EOF was called; bytes are ignored
)

// Parser frames the messages of one direction of one connection. It is not
// safe for concurrent use, and its methods other than the queries (Remaining,
// Skippable, InMessage, Idle, State, HTTP2, Offset) must not be called from
// its own Handler calls.
type Parser struct {
	lim   Limits
	kind  Kind
	state State
	off   int64 // bytes of the stream consumed

	// The message in progress.
	open     bool  // Head was reported, End was not
	chunked  bool  // its head said so
	trailers bool  // a trailer field line was seen
	noSize   bool  // body bytes were missed
	body     int64 // body bytes so far
	left     int64 // body bytes to come: of the message (StateLength) or the chunk
	phase    chunkPhase

	head partialHead
	scan scanner
}

// New returns a Parser at the start of a stream of messages of kind k.
func New(k Kind, lim Limits) *Parser {
	return &Parser{kind: k, lim: lim.withDefaults()}
}

// Reset makes p as good as new for a stream of messages of kind k, with the
// Limits that it has.
func (p *Parser) Reset(k Kind) {
	if p.Idle() { // nothing is left of what was before
		p.kind, p.off = k, 0
		return
	}
	p.dropHead()
	*p = Parser{kind: k, lim: p.lim}
}

// Feed parses the next bytes of the stream. How the stream is cut into Feeds
// does not matter, but for one case: EndInferred needs a Feed that ends with
// the last chunk. b is not kept.
func (p *Parser) Feed(b []byte, h Handler) {
	for len(b) > 0 {
		n := 0
		switch p.state {
		case StateBoundary, StateHead:
			n = p.feedHead(b, h)
		case StateLength:
			n = p.feedLength(b, h)
		case StateChunked:
			n = p.feedChunked(b, h)
		case StateUntilClose:
			n = len(b)
			p.advance(int64(n))
			p.body = addCapped(p.body, int64(n))
		case StateLost:
			n = p.feedLost(b, h)
		default:
			n = len(b)
			p.advance(int64(n))
		}
		b = b[n:]
	}
	if p.state == StateLost && p.open && p.scan.lastChunk.complete() {
		p.dropHead()
		p.end(EndInferred, h)
	}
}

// Skip tells that the next n bytes of the stream passed without being seen.
// Inside a body of known length, a chunk's data, or a body that lasts until
// the close nothing is lost by that. Where n goes beyond, or a head is cut,
// framing is lost: a message in progress stays open until its end is known.
func (p *Parser) Skip(n int64, h Handler) {
	if n <= 0 {
		return
	}
	switch p.state {
	case StateLength:
		k := min(n, p.left)
		p.consume(k)
		if p.left == 0 {
			p.end(EndFramed, h)
		}
		n -= k
		if n > 0 { // whole messages may hide in the rest
			p.lose(h)
		}
	case StateChunked:
		n = p.skipChunk(n)
	case StateUntilClose:
		p.body = addCapped(p.body, n)
	case StateHead:
		p.cutHead(h)
	case StateBoundary:
		p.lose(h)
	case StateLost:
		p.restartScan()
	}
	p.advance(n)
}

// EOF tells that the direction ended. Later calls have no effect until Reset.
func (p *Parser) EOF(h Handler) {
	switch {
	case p.open && p.state == StateUntilClose:
		p.end(EndClose, h)
	case p.open && p.state == StateLost:
		p.end(EndLost, h)
	case p.open:
		p.end(EndAborted, h)
	case p.state == StateHead:
		h.Desync()
	}
	p.dropHead()
	p.state = StateClosed
}

// Boundary tells, from outside knowledge, that whatever was in progress is over
// and that a message starts at the next byte. A message that was open is
// reported as ended with EndReplaced; a head that was not complete, as Desync.
// It has no effect once the stream left HTTP/1.
func (p *Parser) Boundary(h Handler) {
	if p.left1() {
		return
	}
	switch {
	case p.open:
		p.end(EndReplaced, h)
	case p.state == StateHead:
		h.Desync()
	}
	p.dropHead()
	p.state = StateBoundary
}

// Tunnel tells that the connection left HTTP: what follows is ignored. It is
// for the request direction, when the response direction ended a message with
// EndTunnel (RFC 9110 sections 7.8 and 9.3.6).
func (p *Parser) Tunnel(h Handler) {
	if p.left1() {
		return
	}
	if p.open {
		p.end(EndTunnel, h)
	}
	p.dropHead()
	p.state = StateTunnel
}

// left1 says that no HTTP/1 message can come any more.
func (p *Parser) left1() bool {
	return p.state == StateTunnel || p.state == StateHTTP2 || p.state == StateClosed
}

// Remaining gives the bytes until the current message's end. known is false
// when framing does not tell: in a head, in a chunked or close-delimited body,
// and without framing. Between messages it is 0, true.
func (p *Parser) Remaining() (n int64, known bool) {
	switch p.state {
	case StateBoundary:
		return 0, true
	case StateLength:
		return p.left, true
	}
	return 0, false
}

// Skippable gives how many of the next bytes can be skipped without losing framing.
func (p *Parser) Skippable() int64 {
	switch {
	case p.state == StateLength, p.state == StateChunked && p.phase == chunkData:
		return p.left
	case p.state == StateUntilClose || p.left1():
		return math.MaxInt64
	}
	return 0
}

// InMessage says that a head was reported and its End was not.
func (p *Parser) InMessage() bool { return p.open }

// Idle says that p is at a clean message boundary with nothing buffered.
func (p *Parser) Idle() bool { return p.state == StateBoundary }

// State tells where p stands.
func (p *Parser) State() State { return p.state }

// HTTP2 says that the client's HTTP/2 connection preface was seen (RFC 9113
// section 3.4) where a request could start. It holds until Reset.
func (p *Parser) HTTP2() bool { return p.state == StateHTTP2 }

// Offset gives the number of bytes of the stream consumed since Reset. During
// Handler.Head that is where the head ends, so that it began at Offset minus
// Head.Size. During Handler.End it is where the message ended, as far as known.
func (p *Parser) Offset() int64 { return p.off }

func (p *Parser) advance(n int64) { p.off = addCapped(p.off, n) }

// consume takes n bytes, at most p.left, of a body.
func (p *Parser) consume(n int64) {
	p.advance(n)
	p.body = addCapped(p.body, n)
	p.left -= n
}

func (p *Parser) feedLength(b []byte, h Handler) int {
	n := min(int64(len(b)), p.left)
	p.consume(n)
	if p.left == 0 {
		p.end(EndFramed, h)
	}
	return int(n)
}

// end closes the open message.
func (p *Parser) end(r EndReason, h Handler) {
	e := End{Reason: r, BodySize: p.body, BodyKnown: !p.noSize, Trailers: p.trailers}
	p.open, p.noSize, p.trailers, p.chunked = false, false, false, false
	p.body, p.left = 0, 0
	p.state = StateBoundary
	if r == EndTunnel {
		p.state = StateTunnel
	}
	h.End(e)
}

// lose gives up framing outside of a message.
func (p *Parser) lose(h Handler) {
	p.state = StateLost
	p.restartScan()
	h.Desync()
}

// loseOpen gives up framing inside of a message, which stays open.
func (p *Parser) loseOpen(afterGap bool) {
	p.state = StateLost
	p.noSize = true
	p.restartScan()
	if !afterGap {
		p.scan.lastChunk = 0
	}
}

// addCapped adds without overflow; both are at least 0.
func addCapped(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
