// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"bytes"
	"math"
)

// chunkPhase is the place within a chunked body (RFC 9112 section 7.1).
type chunkPhase uint8

const (
	chunkStart       chunkPhase = iota // before the first digit of a size
	chunkSize                          // in a size
	chunkExt                           // after a size, up to LF
	chunkSizeLF                        // the LF right after a size's CR
	chunkData                          // in the data
	chunkDataCR                        // the line end after the data
	chunkDataLF                        // its LF
	chunkTrailer                       // at the start of a line of the trailer section
	chunkTrailerLine                   // inside of one
	chunkTrailerLF                     // the LF of the empty line that ends the message
)

// feedChunked parses a chunked body up to its end or the end of b.
func (p *Parser) feedChunked(b []byte, h Handler) int {
	i := 0
	for i < len(b) && p.state == StateChunked {
		switch p.phase {
		case chunkData:
			n := min(int64(len(b)-i), p.left)
			p.consume(n)
			i += int(n)
			if p.left == 0 {
				p.phase = chunkDataCR
			}
			continue
		case chunkExt, chunkTrailerLine: // content is of no interest
			eol := bytes.IndexByte(b[i:], '\n')
			if eol < 0 {
				p.advance(int64(len(b) - i))
				return len(b)
			}
			p.advance(int64(eol))
			i += eol
		}
		if !p.chunkByte(b[i], h) {
			p.loseOpen(false) // the byte itself may begin a message
			return i
		}
		i++
	}
	return i
}

// chunkByte takes one byte of chunk framing, or refuses it. Lone LF and white
// space after a size are let pass, as many recipients do; nothing depends on it.
func (p *Parser) chunkByte(c byte, h Handler) bool {
	p.advance(1)
	if p.phase <= chunkDataLF {
		if p.chunkFrame(c) {
			return true
		}
	} else if p.trailerByte(c, h) {
		return true
	}
	p.off--
	return false
}

// chunkFrame takes a byte of the lines around chunk data.
func (p *Parser) chunkFrame(c byte) bool {
	switch p.phase {
	case chunkStart:
		p.left = 0
		p.phase = chunkSize
		return p.chunkDigit(c)
	case chunkSize:
		switch c {
		case '\n':
			p.chunkBegin()
		case '\r':
			p.phase = chunkSizeLF
		case ';', ' ', '\t': // extensions are ignored, RFC 9112 section 7.1.1
			p.phase = chunkExt
		default:
			return p.chunkDigit(c)
		}
		return true
	case chunkDataCR:
		if c == '\r' {
			p.phase = chunkDataLF
			return true
		}
		p.phase = chunkStart
		return c == '\n'
	case chunkDataLF:
		p.phase = chunkStart
		return c == '\n'
	}
	p.chunkBegin() // chunkExt and chunkSizeLF
	return c == '\n'
}

// chunkDigit takes a digit of a chunk size; one that overflows is refused
// (RFC 9112 section 7.1).
func (p *Parser) chunkDigit(c byte) bool {
	v := hexValue(c)
	if v < 0 || p.left > math.MaxInt64>>4 {
		return false
	}
	p.left = p.left<<4 | v
	return true
}

// chunkBegin starts what a complete chunk header announces.
func (p *Parser) chunkBegin() {
	p.phase = chunkData
	if p.left == 0 { // the last chunk
		p.phase = chunkTrailer
	}
}

// trailerByte takes a byte of the trailer section (RFC 9112 section 7.1.2).
func (p *Parser) trailerByte(c byte, h Handler) bool {
	switch {
	case p.phase == chunkTrailerLine: // c is the line's LF
		p.phase = chunkTrailer
	case c == '\n':
		p.end(EndFramed, h)
	case p.phase == chunkTrailerLF:
		return false
	case c == '\r':
		p.phase = chunkTrailerLF
	default:
		p.trailers = true
		p.phase = chunkTrailerLine
	}
	return true
}

// skipChunk passes n unseen bytes. It gives how many are left to account for.
// Across a chunk header framing is lost.
func (p *Parser) skipChunk(n int64) int64 {
	if p.phase != chunkData || n > p.left {
		p.loseOpen(true)
		return n
	}
	p.consume(n)
	if p.left == 0 {
		p.phase = chunkDataCR
	}
	return 0
}
