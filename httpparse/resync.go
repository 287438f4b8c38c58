// SPDX-License-Identifier: Apache-2.0

package httpparse

// scanner looks for a message start among bytes of which it is not known where
// messages begin. To not take body bytes for one, it asks for more than the
// start line: an exact start line ended by CRLF, then the name and colon of a
// field line or the empty line. A request must moreover begin at the first byte
// searched or follow a byte that can neither belong to a method nor be white
// space, since "x GET / HTTP/1.1" tells of a request and is none.
//
// The candidate so far is in Parser.head.buf. scanner itself holds offsets into it.
type scanner struct {
	phase     scanPhase
	matched   int  // bytes of versionPrefix, or of the status code
	methodEnd int  // length of the method
	targetEnd int  // where the target ends
	lineStart int  // where the second line begins
	afterLast bool // the candidate begins right behind what looks like a last chunk
	lastChunk lastChunk
}

type scanPhase uint8

const (
	scanSkip    scanPhase = iota // a request cannot begin here
	scanMethod                   // at the start or in the method
	scanTarget                   // in the target
	scanVersion                  // in "HTTP/1."
	scanMinor                    // its digit
	scanStatus                   // in SP and three digits
	scanReason                   // after the status code
	scanCR                       // the CR of the request line
	scanLF                       // the LF of the start line
	scanField                    // in the second line
	scanEmpty                    // the LF of the second line, which is empty
)

// maxScanName is the longest field name that confirms a candidate.
const maxScanName = 256

// restartScan begins a search at the next byte, which may begin a message.
func (p *Parser) restartScan() {
	if p.head.buf == nil {
		p.head.buf = p.lim.Scratch.take()
	}
	p.scan = scanner{lastChunk: lastChunkStart}
	p.scanFrom(len(p.head.buf))
}

// scanFrom restarts the candidate with the buffered bytes from i on kept as
// the method's first.
func (p *Parser) scanFrom(i int) {
	b := p.head.buf
	p.head.buf = b[:copy(b, b[i:])]
	p.scan.matched = 0
	p.scan.phase = scanMethod
	if p.kind == Response {
		p.scan.phase = scanVersion
	}
}

// feedLost searches b and, behind a confirmed candidate, goes on as a head.
func (p *Parser) feedLost(b []byte, h Handler) int {
	for i, c := range b {
		if p.scanByte(c) {
			p.advance(int64(i + 1))
			p.resume(h)
			return i + 1
		}
		if p.open && p.chunked {
			p.scan.lastChunk = p.scan.lastChunk.next(c)
		}
	}
	p.advance(int64(len(b)))
	return len(b)
}

// resume turns the confirmed candidate into the head in progress.
func (p *Parser) resume(h Handler) {
	s, buf := p.scan, p.head.buf
	p.head = partialHead{}
	if p.open {
		r := EndLost
		if s.afterLast {
			r = EndInferred
		}
		at := p.off
		p.off -= int64(len(buf)) // the old message ends where the new one begins
		p.end(r, h)
		p.off = at
	}
	p.state = StateHead
	p.head = partialHead{
		buf: buf, size: len(buf), started: true,
		lineStart: s.lineStart, lineLen: len(buf) - s.lineStart, lineFirst: buf[s.lineStart],
	}
	if s.phase == scanEmpty {
		p.finishHead(headWhole, h)
	}
}

// scanByte takes the next byte searched and says whether it confirms the candidate.
func (p *Parser) scanByte(c byte) bool {
	s := &p.scan
	if len(p.head.buf) >= p.lim.HeadBytes {
		p.scanFail(c)
		return false
	}
	switch s.phase {
	case scanSkip:
		if !tchar[c] && !isBlank(c) {
			p.scanFrom(len(p.head.buf))
		}
		return false
	case scanMethod:
		p.scanMethod(c)
		return false
	case scanField, scanEmpty:
		return p.scanSecondLine(c)
	}
	if !p.scanStartLine(c) {
		p.scanFail(c)
	}
	return false
}

// scanSecondLine takes a byte of the line that confirms a candidate: the name
// of a field up to its colon, or the empty line.
func (p *Parser) scanSecondLine(c byte) (confirmed bool) {
	s := &p.scan
	n := len(p.head.buf) - s.lineStart
	switch {
	case s.phase == scanEmpty && c == '\n', s.phase == scanField && c == ':' && n > 0:
		p.keep(c)
		return true
	case s.phase == scanField && c == '\r' && n == 0:
		s.phase = scanEmpty
		p.keep(c)
	case s.phase == scanField && tchar[c] && n < maxScanName:
		p.keep(c)
	default:
		p.scanFail(c)
	}
	return false
}

// keep adds c to the candidate.
func (p *Parser) keep(c byte) {
	if len(p.head.buf) == 0 {
		p.scan.afterLast = p.scan.lastChunk.complete()
	}
	p.head.buf = append(p.head.buf, c)
}

// scanMethod takes a byte of a method or before one.
func (p *Parser) scanMethod(c byte) {
	s := &p.scan
	n := len(p.head.buf)
	switch {
	case tchar[c] && n < maxMethod:
		p.keep(c)
	case c == ' ' && n > 0:
		s.methodEnd = n
		s.phase = scanTarget
		p.keep(c)
	default:
		p.head.buf = p.head.buf[:0]
		if tchar[c] || isBlank(c) {
			s.phase = scanSkip
		}
	}
}

// scanStartLine takes a byte of a start line behind the method, or refuses it.
func (p *Parser) scanStartLine(c byte) bool {
	s := &p.scan
	n := len(p.head.buf)
	switch s.phase {
	case scanTarget:
		first := n == s.methodEnd+1
		switch {
		case c == ' ' && !first:
			s.targetEnd, s.phase, s.matched = n, scanVersion, 0
		case !isTarget(c), first && !isTargetStart(c):
			return false
		}
	case scanVersion:
		if c != versionPrefix[s.matched] {
			return false
		}
		if s.matched++; s.matched == len(versionPrefix) {
			s.phase = scanMinor
		}
	case scanMinor:
		if !isDigit(c) {
			return false
		}
		s.phase, s.matched = scanCR, 0
		if p.kind == Response {
			s.phase = scanStatus
		}
	case scanStatus:
		return p.scanStatus(c)
	case scanReason:
		if c == '\r' {
			s.phase = scanLF
		} else if !isReason(c) {
			return false
		}
	case scanCR:
		if c != '\r' {
			return false
		}
		s.phase = scanLF
	case scanLF:
		if c != '\n' {
			return false
		}
		s.phase, s.lineStart = scanField, n+1
	}
	p.keep(c)
	return true
}

// scanStatus takes a byte of SP 3DIGIT and of what ends it.
func (p *Parser) scanStatus(c byte) bool {
	s := &p.scan
	switch {
	case s.matched == 0 && c == ' ':
	case s.matched == 1 && c >= '1' && c <= '9':
	case (s.matched == 2 || s.matched == 3) && isDigit(c):
	case s.matched == 4 && c == ' ':
		s.phase = scanReason
	case s.matched == 4 && c == '\r':
		s.phase = scanLF
	default:
		return false
	}
	s.matched++
	p.keep(c)
	return true
}

// scanFail drops a candidate that c refutes, and takes up the next one that
// begins in it. There are few to look at: a method is followed by SP, of which
// a request line has two, and a second line has neither SP nor line end.
func (p *Parser) scanFail(c byte) {
	s := &p.scan
	phase := s.phase
	if p.kind == Response {
		p.scanFailResponse(c)
		return
	}
	b := p.head.buf
	switch phase {
	case scanField, scanEmpty: // a line start: its first byte may begin a message
		s.afterLast = false
		p.scanFrom(s.lineStart)
		if phase == scanEmpty || len(p.head.buf) > maxMethod {
			p.head.buf = p.head.buf[:0]
		}
		if phase == scanField && len(p.head.buf) == 0 {
			s.phase = scanSkip
		}
	case scanVersion, scanMinor, scanCR:
		i, ok := methodIn(b[s.methodEnd+1 : s.targetEnd])
		i += s.methodEnd + 1
		if ok && i < s.targetEnd {
			s.methodEnd = s.targetEnd - i
			s.matched, s.phase, s.afterLast = 0, scanTarget, false
			p.head.buf = b[:copy(b, b[i:])]
			break
		}
		p.scanWord(s.targetEnd + 1)
	default:
		p.scanWord(s.methodEnd + 1)
	}
	p.scanByte(c)
}

// scanWord takes up a method that the buffered bytes from i on end with.
func (p *Parser) scanWord(i int) {
	p.scan.afterLast = false
	k, ok := methodIn(p.head.buf[i:])
	if !ok {
		p.head.buf = p.head.buf[:0]
		p.scan.phase = scanSkip
		return
	}
	p.scanFrom(i + k)
}

// methodIn finds the method that ends word, behind a byte that can not be
// part of one. An empty method counts, where word ends with such a byte.
func methodIn(word []byte) (start int, ok bool) {
	start = len(word)
	for start > 0 && tchar[word[start-1]] {
		start--
	}
	return start, start > 0 && len(word)-start <= maxMethod
}

// scanFailResponse is scanFail for status lines: "HTTP/1." begins nowhere
// inside itself, so that only a second line can hold the next candidate.
func (p *Parser) scanFailResponse(c byte) {
	again := p.head.buf[len(p.head.buf):]
	if p.scan.phase == scanField {
		again = p.head.buf[p.scan.lineStart:]
	}
	p.head.buf = p.head.buf[:0]
	p.scan.phase = scanVersion
	p.scan.matched = 0
	for _, a := range again { // in place: the candidate stays behind a
		p.matchVersion(a)
	}
	p.matchVersion(c)
}

// matchVersion takes a byte of "HTTP/1." and starts over if it does not fit.
func (p *Parser) matchVersion(c byte) {
	if p.scan.phase == scanVersion && c != versionPrefix[p.scan.matched] {
		p.scan.matched = 0
		p.head.buf = p.head.buf[:0]
		if c != versionPrefix[0] {
			return
		}
	}
	p.scanStartLine(c)
}

// lastChunk counts the bytes seen of CRLF 0 CRLF CRLF, the end of a chunked
// body without trailers (RFC 9112 section 7.1).
type lastChunk uint8

const (
	lastChunkStart lastChunk = 2 // as if behind CRLF
	lastChunkWhole lastChunk = 7
)

func (l lastChunk) complete() bool { return l == lastChunkWhole }

func (l lastChunk) next(c byte) lastChunk {
	const pattern = "\r\n0\r\n\r\n"
	switch {
	case l < lastChunkWhole && c == pattern[l]:
		return l + 1
	case c == '0' && (l == 3 || l == 5 || l == lastChunkWhole):
		return 3 // more zeros, or the CRLF seen last begins the pattern
	case c == '\r':
		return 1
	}
	return 0
}
