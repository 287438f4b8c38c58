// SPDX-License-Identifier: Apache-2.0

package route

import (
	"errors"
	"fmt"
	"strings"
)

// Error says what is wrong with a pattern, and where.
type Error struct {
	Index   int    // of the pattern in the list
	Pattern string // as configured
	Offset  int    // in bytes, of the offending part of the pattern
	Reason  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("route pattern %d %q: at byte %d: %s", e.Index, e.Pattern, e.Offset, e.Reason)
}

// Compile turns patterns into a Set. The error joins an *Error for every bad
// pattern; it is also an error if two patterns match the same paths. Forms
// that other routers use for wildcards (:id, *) are refused, since as literals
// they would silently match nothing.
func Compile(patterns []string) (*Set, error) {
	s := new(Set)
	var errs []error
	for i, p := range patterns {
		if offset, reason := s.root.add(p); reason != "" {
			errs = append(errs, &Error{Index: i, Pattern: p, Offset: offset, Reason: reason})
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

// add inserts a pattern below the root n. A reason says why it cannot be.
func (n *node) add(pattern string) (offset int, reason string) {
	if !strings.HasPrefix(pattern, "/") {
		return 0, "does not start with a slash"
	}
	if i := strings.IndexFunc(pattern, unwritable); i >= 0 {
		return i, fmt.Sprintf("%q cannot be part of a path", pattern[i])
	}
	var names []string
	offset = 1
	for rest, more := pattern[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		name, kind, at, reason := parse(segment)
		switch {
		case reason != "":
			return offset + at, reason
		case segment == "" && more:
			return offset, "empty segment"
		case kind == restOf && more:
			return offset, segment + " is not the last segment"
		case kind == literal:
			n = n.child(name)
		default:
			for _, other := range names {
				if other == name {
					return offset, fmt.Sprintf("name %q is used twice", name)
				}
			}
			names = append(names, name)
			if kind == restOf {
				return offset, claim(&n.rest, pattern)
			}
			n = n.wildcard()
		}
		offset += len(segment) + 1
	}
	return 0, claim(&n.route, pattern)
}

// claim makes pattern the route of a place in the trie.
func claim(place *string, pattern string) (reason string) {
	if *place != "" {
		return fmt.Sprintf("matches the same paths as %q", *place)
	}
	*place = pattern
	return ""
}

// child returns the node behind a literal segment.
func (n *node) child(segment string) *node {
	if n.static == nil {
		n.static = make(map[string]*node)
	}
	next := n.static[segment]
	if next == nil {
		next = new(node)
		n.static[segment] = next
	}
	return next
}

// wildcard returns the node behind any segment.
func (n *node) wildcard() *node {
	if n.wild == nil {
		n.wild = new(node)
	}
	return n.wild
}

// kind is what a segment of a pattern stands for.
type kind uint8

const (
	literal kind = iota
	oneOf        // {name}
	restOf       // {name...}
)

// parse reads one segment: the decoded text of a literal or the name of a
// wildcard, or a reason why it is neither, with the offset within the segment.
func parse(segment string) (name string, k kind, offset int, reason string) {
	brace := strings.IndexAny(segment, "{}")
	switch {
	case segment == "*" || segment == "**":
		return "", 0, 0, fmt.Sprintf("%q is not a wildcard here: write {name} or {name...}", segment)
	case strings.HasPrefix(segment, ":"):
		return "", 0, 0, fmt.Sprintf("%q is not a wildcard here: write {%s}", segment, segment[1:])
	case brace < 0:
		b, bad := decode(make([]byte, 0, maxLiteral), segment)
		if bad >= 0 && len(b) == maxLiteral {
			return "", 0, bad, fmt.Sprintf("segment is longer than %d bytes", maxLiteral)
		}
		if bad >= 0 {
			return "", 0, bad, "malformed percent-encoding"
		}
		return string(b), literal, 0, ""
	case brace > 0:
		return "", 0, brace, "a wildcard must be a whole segment"
	}
	name, tail, closed := strings.Cut(segment[1:], "}")
	if segment[0] == '}' || !closed {
		return "", 0, 0, "brace without a partner"
	}
	if tail != "" {
		return "", 0, len(segment) - len(tail), "a wildcard must be a whole segment"
	}
	k = oneOf
	if short, ok := strings.CutSuffix(name, "..."); ok {
		name, k = short, restOf
	}
	if i := strings.IndexFunc(name, notInName); i >= 0 || name == "" {
		return "", 0, 1 + max(i, 0), "a wildcard is named with letters, digits, _ and -"
	}
	return name, k, 0, ""
}

// notInName says whether r cannot be part of a wildcard's name.
func notInName(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '_' && r != '-'
}

// unwritable says whether r cannot be part of a pattern: white space, control
// characters, and what ends a path (RFC 3986 section 3.3).
func unwritable(r rune) bool { return r <= ' ' || r == 0x7f || r == '?' || r == '#' }
