// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unsafe"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/redact"
	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// blank stands where something was taken out.
const blank = 'x'

// Masker takes out of records what no span would show: bodies, header fields,
// values of secret query keys, user information, trailers. A header's name stays
// where it comes in pieces.
// Each byte is replaced by an x, so that positions and framing stay as they are.
// What it cannot follow it takes out altogether. One goroutine.
type Masker struct {
	allowed map[string]bool // header names in lower case whose values stay
	secrets *redact.Names
	limit   int // connections remembered
	names   uint64
	conns   map[uint64]*maskedConn
	scratch *httpparse.Scratch
}

// framing are the header fields that tell where a message ends or what follows
// it, besides those that every span shows.
func framing() []string {
	return []string{"content-length", "transfer-encoding", "connection", "upgrade", "host", "user-agent", "x-request-id"}
}

// NewMasker returns a Masker that leaves the values of the named header fields,
// those that carry trace context, and those that framing needs. secrets are
// query keys. It remembers up to limit connections. Kernel addresses are
// replaced by what they are together with key, a random number.
func NewMasker(headers []string, secrets *redact.Names, limit int, key uint64) *Masker {
	m := &Masker{
		allowed: map[string]bool{}, secrets: secrets, limit: limit, names: key,
		conns: map[uint64]*maskedConn{}, scratch: new(httpparse.Scratch),
	}
	for _, name := range append(framing(), headers...) {
		m.allowed[strings.ToLower(name)] = true
	}
	return m
}

func (m *Masker) allows(name []byte) bool {
	return m.allowed[string(bytes.ToLower(name))] || tracecontext.Reads(name)
}

// maskedConn is what is known of a connection, to tell heads from bodies.
type maskedConn struct {
	dirs     [2]maskedDir
	known    bool // requests is known
	requests event.Dir
	methods  []httpparse.Method // of requests without a response
	started  bool
	turn     uint16
	lastDir  event.Dir
	leaving  bool // a request asks to leave HTTP, and was not answered
	left     bool // it left HTTP
}

// maskedDir is one direction.
type maskedDir struct {
	pos    uint64            // expected next
	parser *httpparse.Parser // nil: nothing is known until a head begins a turn
	line   lineMask
	lost   bool // the parser lost its way
}

// maxMethods bounds the requests without a response that are remembered.
const maxMethods = 256

var le = binary.LittleEndian

// Mask masks a record of the data ring in place.
func (m *Masker) Mask(b []byte) error {
	kind, err := event.Peek(b)
	if err != nil {
		return err
	}
	switch kind {
	case event.KindConn:
		return m.maskConn(b)
	case event.KindData:
		return m.maskData(b)
	case event.KindClose:
		var e event.EOF
		err = e.Decode(b)
		delete(m.conns, e.Conn)
	}
	return err
}

// maskConn hides where in the kernel sockets lie, and what lies behind a path.
func (m *Masker) maskConn(b []byte) error {
	var e event.Conn
	var w event.WireConn
	if err := e.Decode(b); err != nil {
		return err
	}
	for _, at := range []uintptr{unsafe.Offsetof(w.Self), unsafe.Offsetof(w.Peer)} {
		if v := le.Uint64(b[at:]); v != 0 {
			le.PutUint64(b[at:], v^m.names)
		}
	}
	n := min(int(le.Uint32(b[unsafe.Offsetof(w.PathLen):])), len(w.Path))
	clear(b[int(unsafe.Offsetof(w.Path))+n:][:len(w.Path)-n])
	delete(m.conns, e.ID)
	return nil
}

func (m *Masker) maskData(b []byte) error {
	var e event.Data
	if err := e.Decode(b); err != nil {
		return err
	}
	c := m.conns[e.Conn]
	if c == nil {
		if len(m.conns) >= m.limit {
			clear(m.conns) // what is known of none is masked whole, until its next head
		}
		c = &maskedConn{}
		m.conns[e.Conn] = c
	}
	tail := bytes.Clone(e.TailBytes())
	m.follow(c, &e)
	d := &c.dirs[e.Dir]
	d.maskBytes(m, c, e.Dir, e.Payload)
	d.skip(m, c, e.Dir, int64(e.Total)-int64(len(e.Payload))-int64(len(tail)))
	d.maskBytes(m, c, e.Dir, tail)
	d.pos = e.Pos + uint64(e.Total)
	if e.Flags&event.DataTail != 0 {
		var w event.WireData
		maskTail(b[unsafe.Offsetof(w.Tail):][:min(8, e.Total)])
	}
	return nil
}

// maskTail leaves of the last bytes of a call what may end a chunked body.
func maskTail(tail []byte) {
	kept := len(tail)
	for _, end := range []string{"\r\n0\r\n\r\n", "0\r\n\r\n", "\r\n\r\n"} {
		if bytes.HasSuffix(tail, []byte(end)) {
			kept = len(tail) - len(end)
			break
		}
	}
	maskAll(tail[:kept])
}

func maskAll(b []byte) {
	for i := range b {
		b[i] = blank
	}
}

// follow finds out what the bytes of e are, given what came before.
func (m *Masker) follow(c *maskedConn, e *event.Data) {
	d := &c.dirs[e.Dir]
	turns := uint16(0)
	if e.Dir != c.lastDir {
		turns = 1
	}
	if c.started && e.Turn-c.turn != turns || e.Pos < d.pos {
		c.forget()
	}
	c.started, c.turn, c.lastDir = true, e.Turn, e.Dir
	if e.Pos > d.pos {
		d.skip(m, c, e.Dir, int64(e.Pos-d.pos))
	}
	const head = event.DataHead | event.DataTurn
	if e.Flags&head == head && len(e.Payload) > 0 && !d.inBody() {
		m.begin(c, e)
	}
}

// forget gives up what is known of messages.
func (c *maskedConn) forget() {
	for i := range c.dirs {
		c.dirs[i].parser = nil
	}
	c.methods = c.methods[:0]
}

// inBody says that framing tells where the message in progress ends: what
// looks like a head there is none.
func (d *maskedDir) inBody() bool {
	return d.parser != nil && (d.parser.State() == httpparse.StateLength || d.parser.State() == httpparse.StateChunked)
}

// begin starts a message, which the kernel saw to begin like one.
func (m *Masker) begin(c *maskedConn, e *event.Data) {
	response := bytes.HasPrefix(e.Payload, []byte("HTTP/"))
	if !c.known {
		c.known, c.requests = true, e.Dir
		if response {
			c.requests = e.Dir.Other()
		}
	}
	if response != (e.Dir != c.requests) {
		return
	}
	kind := httpparse.Request
	if response {
		kind = httpparse.Response
	}
	d := &c.dirs[e.Dir]
	d.parser = httpparse.New(kind, httpparse.Limits{Scratch: m.scratch})
	d.line = lineMask{}
	d.lost = false
}

// skip passes over n bytes that were not captured.
func (d *maskedDir) skip(m *Masker, c *maskedConn, dir event.Dir, n int64) {
	if n <= 0 || d.parser == nil {
		return
	}
	d.line = lineMask{}
	d.parser.Skip(n, &maskHandler{c: c, dir: dir})
	d.settle()
}

// settle gives up on a direction whose parser no longer knows where it is.
func (d *maskedDir) settle() {
	if d.parser != nil && (d.lost || d.parser.State() == httpparse.StateLost) {
		d.parser = nil
	}
}

// maskBytes masks the next bytes of a direction: bodies at once, heads and what
// lies around chunks byte by byte.
func (d *maskedDir) maskBytes(m *Masker, c *maskedConn, dir event.Dir, b []byte) {
	h := &maskHandler{c: c, dir: dir}
	for i := 0; i < len(b); {
		if d.parser == nil || c.left || c.leaving && dir == c.requests && d.parser.Idle() {
			maskAll(b[i:])
			return
		}
		n := int(min(d.parser.Skippable(), int64(len(b)-i)))
		if n > 0 {
			d.parser.Skip(int64(n), h)
			maskAll(b[i : i+n])
		} else {
			n = 1
			chunked := d.parser.State() == httpparse.StateChunked
			original := b[i]
			d.parser.Feed([]byte{original}, h)
			if chunked {
				d.line.chunk(b, i)
			} else {
				d.line.head(m, dir != c.requests, b, i)
			}
			if h.ended {
				d.line = lineMask{}
				h.ended = false
			}
		}
		i += n
		d.lost = d.lost || h.lost
		d.settle()
	}
	d.line.pause()
}

// maskHandler hears where messages begin and end.
type maskHandler struct {
	c     *maskedConn
	dir   event.Dir
	ended bool // a head, or a message
	lost  bool
}

// Head notes a request's method, and finds it for the response.
func (h *maskHandler) Head(head *httpparse.Head) httpparse.Method {
	h.ended = true
	c := h.c
	if h.dir == c.requests {
		method := methodOf(head.Method)
		c.leaving = c.leaving || head.Upgrade || method == httpparse.MethodConnect
		if len(c.methods) < maxMethods {
			c.methods = append(c.methods, method)
		}
		return httpparse.MethodOther
	}
	final := head.Status >= 200 || head.Status == 101
	c.leaving = c.leaving && !final
	if len(c.methods) == 0 {
		return httpparse.MethodOther
	}
	method := c.methods[0]
	if final {
		c.methods = append(c.methods[:0], c.methods[1:]...)
	}
	return method
}

// End notes that the connection left HTTP, if it did.
func (h *maskHandler) End(e httpparse.End) {
	h.ended = true
	h.c.left = h.c.left || e.Reason == httpparse.EndTunnel
}

// Desync gives the direction up.
func (h *maskHandler) Desync() { h.lost = true }

func methodOf(m []byte) httpparse.Method {
	switch string(m) {
	case "HEAD":
		return httpparse.MethodHead
	case "CONNECT":
		return httpparse.MethodConnect
	}
	return httpparse.MethodOther
}
