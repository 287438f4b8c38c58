// SPDX-License-Identifier: Apache-2.0

// Package route finds the http.route of a request among configured patterns.
//
// A pattern is a path whose segments are literal, a wildcard {name} that stands
// for one segment that is not empty, or, at the end only, {name...} that stands
// for all that is left, even nothing:
//
//	/users/{id}
//	/users/me
//	/files/{path...}
//
// At each segment, from left to right, a literal is preferred to {name} and
// that to {name...}; if a choice leads nowhere the next one is tried. Thus
// /users/me wins over /users/{id}, and the longer of two prefixes with
// {name...} wins over the shorter. Trailing slashes count. Literals are compared
// after percent-decoding (RFC 3986 section 6.2.2.2) and with regard to case.
package route

import "strings"

// Set is a set of compiled patterns. It is immutable and safe for concurrent
// use. A nil Set matches nothing.
type Set struct {
	root node
}

// node is what follows a prefix of segments. A route of "" is none.
type node struct {
	static map[string]*node // by decoded segment
	wild   *node            // any segment that is not empty
	rest   string           // the route that takes all that is left
	route  string           // the route that ends here
}

// Match returns the pattern, as it was configured, that path matches. Path is
// the path of a request target without query and fragment, not decoded. Match
// does not allocate, and visits no more nodes than the patterns have segments.
func (s *Set) Match(path string) (route string, ok bool) {
	if s == nil || path == "" || path[0] != '/' {
		return "", false
	}
	route = s.root.match(path[1:])
	return route, route != ""
}

// match returns the route for the segments of path, which follow a slash.
func (n *node) match(path string) string {
	segment, tail, more := strings.Cut(path, "/")
	if next := n.literal(segment); next != nil {
		if r := next.after(tail, more); r != "" {
			return r
		}
	}
	if n.wild != nil && segment != "" {
		if r := n.wild.after(tail, more); r != "" {
			return r
		}
	}
	return n.rest
}

// after continues behind a segment: with the tail if there was a slash.
func (n *node) after(tail string, more bool) string {
	if more {
		return n.match(tail)
	}
	return n.route
}

// maxLiteral is the longest literal in bytes; longer segments match wildcards only.
const maxLiteral = 255

// literal returns the node behind a segment that is written out in a pattern.
func (n *node) literal(segment string) *node {
	if len(n.static) == 0 || strings.IndexByte(segment, '%') < 0 {
		return n.static[segment]
	}
	var buf [maxLiteral]byte
	b, bad := decode(buf[:0], segment)
	if bad >= 0 {
		return nil
	}
	return n.static[string(b)]
}

// decode appends s to dst with percent-encoding undone. It returns the offset
// of what is malformed or exceeds the capacity of dst, else -1.
func decode(dst []byte, s string) ([]byte, int) {
	for i := 0; i < len(s); i++ {
		if len(dst) == cap(dst) {
			return dst, i
		}
		if s[i] != '%' {
			dst = append(dst, s[i])
			continue
		}
		if len(s)-i < 3 || unhex(s[i+1])|unhex(s[i+2]) > 0xf {
			return dst, i
		}
		dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
		i += 2
	}
	return dst, -1
}

// unhex returns the value of a hexadecimal digit, 0xff for anything else.
func unhex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}
