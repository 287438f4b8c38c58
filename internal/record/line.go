// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"

	"github.com/tracer-agent/tracer-agent/internal/redact"
)

// lineMask masks what is no body: start lines, field lines, and the lines
// around chunks. It goes byte by byte, as heads may come in any pieces.
type lineMask struct {
	part   part
	name   []byte // of the field, or the query key, so far
	nameAt int    // where it began, or the bytes at hand did
	keep   bool   // the field's value stays
	long   bool   // name is not all of it

	digits int  // of a chunk's size
	size   bool // which is not zero
	rest   bool // behind the size
	last   bool // the last chunk was seen: trailers follow
}

// part is where in a head a byte is.
type part uint8

const (
	inFirst   part = iota // method, or version of a response
	inTarget              // first byte of the target
	inPath                // the target up to its query
	inKey                 // a query key
	inValue               // a query value that stays
	inSecret              // one that does not
	inUser                // a target of which not all is at hand: nothing of it stays
	inVersion             // version of a request, or status of a response
	inHidden              // nothing up to the end of the line stays
	atLine                // first byte of a field line
	inName
	inField // value
)

// maxName bounds how much of a name is remembered; a longer one is not allowed.
const maxName = 256

// pause says that the bytes at hand are at their end.
func (l *lineMask) pause() { l.nameAt = 0 }

// head masks b[i], which is part of a head. A byte behind it may go with it.
func (l *lineMask) head(m *Masker, response bool, b []byte, i int) {
	c := b[i]
	if c == '\n' {
		if l.part == inName {
			maskAll(bytes.TrimRight(b[l.nameAt:i], "\r"))
		}
		l.part = atLine
		return
	}
	if l.part >= atLine {
		l.field(m, b, i)
		return
	}
	if c == '\r' {
		return
	}
	if response {
		l.status(b, i)
		return
	}
	l.request(m, b, i)
}

// status masks the reason behind a response's status.
func (l *lineMask) status(b []byte, i int) {
	switch {
	case l.part == inFirst && b[i] == ' ':
		l.part = inVersion
	case l.part == inVersion && b[i] == ' ':
		l.part = inHidden
	case l.part == inHidden:
		b[i] = blank
	}
}

// request masks a request line (RFC 9112 section 3).
func (l *lineMask) request(m *Masker, b []byte, i int) {
	c := b[i]
	if c == ' ' && l.part != inHidden {
		if l.part == inFirst {
			l.part = inTarget
		} else {
			l.part = inVersion
		}
		return
	}
	switch l.part {
	case inTarget:
		l.part = inPath
		if c != '/' && c != '*' && !maskUser(b[i:]) {
			l.part = inUser
			b[i] = blank
		}
	case inPath:
		if c == '?' {
			l.key()
		}
	case inKey, inValue, inSecret:
		l.query(m, b, i)
	case inVersion:
		if bytes.IndexByte([]byte("HTP/.0123456789"), c) < 0 { // a target with a space in it
			l.part = inHidden
			b[i] = blank
		}
	case inHidden, inUser:
		b[i] = blank
	}
}

// maskUser masks the user information of a target that is no path. It returns
// false if b does not have all of the target.
func maskUser(b []byte) bool {
	n := bytes.IndexAny(b, " \r\n")
	if n < 0 {
		return false
	}
	target := string(b[:n])
	gone := len(target) - len(redact.UserInfo(target))
	start := 0
	if i := bytes.Index(b[:n], []byte("://")); i >= 0 {
		start = i + len("://")
	}
	for i := start; i < start+gone-1 && i < n; i++ {
		if b[i] != ':' {
			b[i] = blank
		}
	}
	return true
}

func (l *lineMask) key() {
	l.part, l.name, l.long = inKey, l.name[:0], false
}

// query masks the values of secret keys, as redact.Query finds them.
func (l *lineMask) query(m *Masker, b []byte, i int) {
	switch c := b[i]; {
	case c == '&':
		l.key()
	case l.part == inSecret:
		b[i] = blank
	case c == ';' || c == '?':
		l.key()
	case c == '=' && l.part == inKey:
		l.part = inValue
		if l.long || m.secrets.Secret(string(l.name)) {
			l.part = inSecret
		}
	case l.part == inKey:
		l.remember(c)
	}
}

func (l *lineMask) remember(c byte) {
	if len(l.name) >= maxName {
		l.long = true
		return
	}
	l.name = append(l.name, c)
}

// field masks a field line (RFC 9112 section 5), a folded one as what it goes on with.
func (l *lineMask) field(m *Masker, b []byte, i int) {
	c := b[i]
	if l.part == atLine {
		l.part = inField
		if c != ' ' && c != '\t' {
			l.part, l.name, l.nameAt, l.long = inName, l.name[:0], i, false
		}
	}
	switch {
	case l.part == inField:
		if !l.keep && c != '\r' {
			b[i] = blank
		}
	case c == ':':
		l.part = inField
		l.keep = !l.long && m.allows(bytes.TrimRight(l.name, " \t"))
		if !l.keep {
			maskAll(b[l.nameAt:i])
		}
	default:
		l.remember(c)
	}
}

// chunk masks b[i], which is part of a chunk's size, of what follows it, or of a
// trailer (RFC 9112 section 7.1).
func (l *lineMask) chunk(b []byte, i int) {
	switch c := b[i]; {
	case c == '\n':
		l.last = l.last || l.digits > 0 && !l.size
		l.digits, l.size, l.rest = 0, false, false
	case c == '\r':
	case l.last:
		if c != ':' {
			b[i] = blank
		}
	case !l.rest && hexDigit(c):
		l.digits++
		l.size = l.size || c != '0'
	default:
		l.rest = true
		if c != ';' && c != ' ' {
			b[i] = blank
		}
	}
}

func hexDigit(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f'
}
