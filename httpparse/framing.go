// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"bytes"
	"math"
)

// framing gathers what the fields of one head say about the message's end and
// the connection's fate.
type framing struct {
	length    int64 // Content-Length, -1 if absent
	badLength bool  // a Content-Length was invalid or two of them differ
	coded     bool  // Transfer-Encoding is present
	chunked   bool  // and its final coding is chunked
	close     bool  // Connection: close
	keepAlive bool  // Connection: keep-alive
	upgrade   bool  // Upgrade is present
	partial   bool  // not every field line was seen
}

// line looks at one field line, without its LF.
func (f *framing) line(k Kind, line []byte) {
	switch line[0] | 0x20 {
	case 'c':
		if v, ok := named(k, line, "content-length"); ok {
			f.noteLength(v)
		} else if v, ok := named(k, line, "connection"); ok {
			f.noteConnection(v)
		}
	case 't':
		if v, ok := named(k, line, "transfer-encoding"); ok {
			f.noteCoding(v)
		}
	case 'u':
		if v, ok := named(k, line, "upgrade"); ok && len(v) > 0 {
			f.upgrade = true
		}
	}
}

// named returns the value of line if it is the field of that name.
func named(k Kind, line []byte, name string) (value []byte, ok bool) {
	n := len(name)
	if len(line) <= n || line[n] != ':' && !isBlank(line[n]) || !equalFold(line[:n], name) {
		return nil, false
	}
	from, to, ok := valueOf(k, line, n)
	return line[from:to], ok
}

// noteConnection reads connection options (RFC 9110 section 7.6.1).
func (f *framing) noteConnection(value []byte) {
	if equalFold(value, "keep-alive") { // the usual value, without taking a list apart
		f.keepAlive = true
		return
	}
	for len(value) > 0 {
		var option []byte
		option, value = nextElement(value)
		switch {
		case equalFold(option, "close"):
			f.close = true
		case equalFold(option, "keep-alive"):
			f.keepAlive = true
		}
	}
}

// noteLength reads a Content-Length. A list of equal values counts as one,
// anything else but one decimal number is invalid (RFC 9110 section 8.6,
// RFC 9112 section 6.3 rule 5).
func (f *framing) noteLength(value []byte) {
	if len(value) == 0 || value[len(value)-1] == ',' {
		f.badLength = true
	}
	for len(value) > 0 {
		var element []byte
		element, value = nextElement(value)
		n, ok := parseDecimal(element)
		if !ok || (f.length >= 0 && f.length != n) {
			f.badLength = true
			return
		}
		f.length = n
	}
}

// noteCoding reads transfer codings: only whether the last one over all field
// lines is chunked matters (RFC 9112 sections 6.1 and 7).
func (f *framing) noteCoding(value []byte) {
	f.coded, f.chunked = true, false
	for len(value) > 0 {
		var coding []byte
		coding, value = nextElement(value)
		if len(coding) > 0 { // empty elements are ignored, RFC 9110 section 5.6.1.2
			f.chunked = equalFold(coding, "chunked")
		}
	}
}

// nextElement cuts the first element off a comma-separated list.
func nextElement(list []byte) (element, rest []byte) {
	i := bytes.IndexByte(list, ',')
	if i < 0 {
		return trimBlank(list), nil
	}
	return trimBlank(list[:i]), list[i+1:]
}

// parseDecimal reads 1*DIGIT that fits an int64.
func parseDecimal(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if !isDigit(c) || n > (math.MaxInt64-int64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

// fill writes what the fields said into h.
func (f *framing) fill(h *Head) {
	h.Chunked = f.chunked
	h.ContentLength = -1
	if !f.badLength {
		h.ContentLength = f.length
	}
	// RFC 9112 section 9.3: 1.1 persists unless told, 1.0 only if told.
	h.Close = f.close || (h.Minor == 0 && !f.keepAlive)
	// RFC 9112 section 6.1: faulty or ambiguous framing closes the connection.
	if f.coded && (h.Minor == 0 || (h.Kind == Request && (!f.chunked || f.length >= 0))) {
		h.Close = true
	}
	if f.badLength && !f.coded {
		h.Close = true // RFC 9112 section 6.3 rule 5
	}
	if h.Kind == Response {
		h.Upgrade = h.Status == 101
	} else {
		h.Upgrade = f.upgrade && h.Minor > 0 // RFC 9110 section 7.8: ignored in 1.0
	}
}

// shape is how the body of a message is delimited.
type shape uint8

const (
	shapeNone    shape = iota
	shapeLength        // Content-Length bytes
	shapeChunked       // chunked transfer coding
	shapeClose         // up to the end of the connection
	shapeTunnel        // no message any more
	shapeUnknown       // framing is faulty or was not seen
)

// shape decides by RFC 9112 section 6.3; the rule numbers are that section's.
func (f *framing) shape(h *Head, m Method) shape {
	if h.Kind == Response {
		switch {
		case h.Status == 101 || (m == MethodConnect && h.Status/100 == 2):
			return shapeTunnel // RFC 9110 section 15.2.2; rule 2
		case m == MethodHead || h.Status/100 == 1 || h.Status == 204 || h.Status == 304:
			return shapeNone // rule 1
		}
	}
	switch {
	case f.coded && h.Minor == 0: // section 6.1: faulty, whatever it says
		return f.undelimited(h)
	case f.coded && f.chunked: // rules 3 and 4: overrides Content-Length
		return shapeChunked
	case f.coded:
		return f.undelimited(h) // rule 4
	case f.badLength:
		return shapeUnknown // rule 5
	case f.length > 0:
		return shapeLength // rule 6
	case f.length == 0:
		return shapeNone
	case f.partial:
		return shapeUnknown // rules 7 and 8 need all fields
	case h.Kind == Request:
		return shapeNone // rule 7
	}
	return shapeClose // rule 8
}

// undelimited is the end of a message whose transfer codings do not end it: a
// response lasts until the close, a request's end cannot be determined and the
// server refuses it (RFC 9112 section 6.3 rule 4).
func (f *framing) undelimited(h *Head) shape {
	if h.Kind == Response {
		return shapeClose
	}
	return shapeUnknown
}
