// SPDX-License-Identifier: Apache-2.0

package httpparse

import "bytes"

// partialHead is a head of which some bytes came in an earlier Feed, or that
// has to be copied for another reason (folded lines).
type partialHead struct {
	buf       []byte // the head so far, at most Limits.HeadBytes
	size      int    // bytes of the head so far, kept or not
	lineStart int    // where the current line begins in buf
	lineLen   int    // bytes of the current line so far
	lineFirst byte   // its first byte, valid iff lineLen > 0
	started   bool   // buf begins with a valid start line
	folded    bool   // some field line is folded
	over      bool   // HeadBytes was exceeded; bytes are no longer kept
}

// extent says how much of a head was seen.
type extent uint8

const (
	headWhole extent = iota // all of it, and kept
	headOver                // all of it, but more than Limits.HeadBytes
	headCut                 // bytes are missing, where it ends is not known
)

// feedHead parses what follows a message boundary, in place if b holds a whole head.
func (p *Parser) feedHead(b []byte, h Handler) int {
	if p.state == StateHead {
		return p.feedPartial(b, h)
	}
	// RFC 9112 section 2.2: ignore empty lines before a request-line. Clients
	// do the same before a status-line.
	if b[0] <= '\r' {
		if n := emptyLines(b); n > 0 {
			p.advance(int64(n))
			return n
		}
	}
	window := b[:min(len(b), p.lim.HeadBytes)]
	eol := bytes.IndexByte(window, '\n')
	if eol < 0 {
		if len(b) > len(window) || !plausibleStart(p.kind, window) {
			p.refuse(nil, h)
			return 0
		}
		return p.feedPartial(b, h)
	}
	line, text := trimCR(window[:eol]), window[eol+1:]
	hd, f := p.newHead(), framing{length: -1}
	place := p.lim.Scratch.place(text)
	n, known := place.recall(line, text, p.lim.Fields, hd, &f)
	if !known {
		if !parseStartLine(p.kind, line, hd) {
			p.refuse(line, h)
			return 0
		}
		lines, whole := 0, false
		if n, lines, whole = f.scan(p.kind, text, false); !whole {
			return p.feedPartial(b, h)
		}
		place.keep(p.kind, text[:n], lines, &f)
		p.limitFields(hd, text, lines)
	}
	size := eol + 1 + n
	hd.Size = size
	p.advance(int64(size))
	p.deliver(hd, &f, headWhole, h)
	return size
}

// emptyLines counts the bytes of the empty lines that b begins with.
func emptyLines(b []byte) int {
	n := 0
	for {
		switch {
		case n < len(b) && b[n] == '\n':
			n++
		case n+1 < len(b) && b[n] == '\r' && b[n+1] == '\n':
			n += 2
		default:
			return n
		}
	}
}

func (p *Parser) newHead() *Head {
	s := p.lim.Scratch
	s.head = Head{Kind: p.kind, scratch: s}
	return &s.head
}

// limitFields lets h take its fields from the lines that text begins with.
func (p *Parser) limitFields(h *Head, text []byte, lines int) {
	if lines > p.lim.Fields {
		lines, h.Truncated = p.lim.Fields, true
	}
	h.text, h.lines = text, lines
}

// refuse gives up on a start line that is not one of HTTP/1. line is nil if
// it is not known in full.
func (p *Parser) refuse(line []byte, h Handler) {
	if p.kind == Request && string(line) == preface2 {
		p.state = StateHTTP2
		h.Desync()
		return
	}
	p.lose(h)
}

// feedPartial adds b, up to the end of the first line in it, to the head.
func (p *Parser) feedPartial(b []byte, h Handler) int {
	d := &p.head
	eol := bytes.IndexByte(b, '\n')
	if eol >= 0 {
		b = b[:eol+1]
	}
	if p.state == StateBoundary {
		p.state = StateHead
		d.buf = p.lim.Scratch.take()
	}
	if len(d.buf)+len(b) > p.lim.HeadBytes {
		if !d.started {
			p.refuseBuffered(nil, h)
			return 0
		}
		d.over = true
	}
	d.add(b)
	p.advance(int64(len(b)))
	switch {
	case !d.started:
		p.startLine(eol >= 0, h)
	case eol >= 0:
		p.fieldLine(h)
	}
	return len(b)
}

// add appends part of the current line.
func (d *partialHead) add(b []byte) {
	if d.lineLen == 0 {
		d.lineFirst = b[0]
	}
	d.lineLen += len(b)
	d.size += len(b)
	if !d.over {
		d.buf = append(d.buf, b...)
	}
}

// startLine judges the start line in the buffer, or what there is of it.
func (p *Parser) startLine(complete bool, h Handler) {
	d := &p.head
	if !complete {
		if !plausibleStart(p.kind, d.buf) {
			p.refuseBuffered(nil, h)
		}
		return
	}
	line := trimCR(d.buf[:len(d.buf)-1])
	if len(line) == 0 { // an empty line whose CR came in an earlier Feed
		p.dropHead()
		p.state = StateBoundary
		return
	}
	if !parseStartLine(p.kind, line, p.newHead()) {
		p.refuseBuffered(line, h)
		return
	}
	d.started = true
	d.nextLine()
}

// fieldLine is called when a line after the start line is complete.
func (p *Parser) fieldLine(h Handler) {
	d := &p.head
	if d.lineLen == 1 || (d.lineLen == 2 && d.lineFirst == '\r') {
		ext := headWhole
		if d.over {
			ext = headOver
		}
		p.finishHead(ext, h)
		return
	}
	if isBlank(d.lineFirst) {
		d.folded = true
	}
	d.nextLine()
}

func (d *partialHead) nextLine() {
	d.lineLen = 0
	if !d.over {
		d.lineStart = len(d.buf)
	}
}

// cutHead ends a buffered head of which the next bytes were lost. With a start
// line it is still a message, with the field lines that were complete.
func (p *Parser) cutHead(h Handler) {
	if p.head.started {
		p.finishHead(headCut, h)
		return
	}
	p.dropHead()
	p.lose(h)
}

// finishHead reports the buffered head.
func (p *Parser) finishHead(ext extent, h Handler) {
	d := p.head
	p.head = partialHead{}
	text := d.buf
	if ext != headWhole {
		text = text[:d.lineStart]
	}
	if d.folded {
		unfold(text)
	}
	hd := p.newHead()
	eol := bytes.IndexByte(text, '\n')
	parseStartLine(p.kind, trimCR(text[:eol]), hd)
	f := framing{length: -1, partial: ext != headWhole}
	text = text[eol+1:]
	_, lines, _ := f.scan(p.kind, text, true)
	p.limitFields(hd, text, lines)
	hd.Truncated = hd.Truncated || f.partial
	hd.Size = d.size
	p.deliver(hd, &f, ext, h)
	p.lim.Scratch.put(d.buf)
}

// refuseBuffered is refuse for a start line that is in the buffer. Its bytes
// are searched again, since a message can begin behind garbage; one line alone
// never makes a message, so that the search ends without one.
func (p *Parser) refuseBuffered(line []byte, h Handler) {
	text := p.head.buf
	p.refuse(line, h)
	if p.state == StateHTTP2 {
		p.dropHead()
		return
	}
	p.head = partialHead{buf: text[:0]}
	for _, c := range text { // in place: a candidate is never ahead of c
		p.scanByte(c)
	}
}

// dropHead forgets the buffered head or candidate.
func (p *Parser) dropHead() {
	if p.head.buf != nil {
		p.lim.Scratch.put(p.head.buf)
	}
	p.head = partialHead{}
}

// deliver reports a head and decides how its message goes on.
func (p *Parser) deliver(hd *Head, f *framing, ext extent, h Handler) {
	f.fill(hd)
	p.state = StateBoundary
	interim := hd.Kind == Response && hd.Status/100 == 1 && hd.Status != 101
	p.open = !interim
	m := h.Head(hd)
	if interim { // RFC 9110 section 15.2
		if ext == headCut {
			p.lose(h)
		}
		return
	}
	s := f.shape(hd, m)
	p.chunked = s == shapeChunked
	if ext == headCut && s != shapeTunnel {
		p.loseOpen(true)
		return
	}
	switch s {
	case shapeNone:
		p.end(EndFramed, h)
	case shapeTunnel:
		p.end(EndTunnel, h)
	case shapeLength:
		p.state, p.left = StateLength, f.length
	case shapeChunked:
		p.state, p.phase = StateChunked, chunkStart
	case shapeClose:
		p.state = StateUntilClose
	case shapeUnknown:
		p.loseOpen(false)
	}
}
