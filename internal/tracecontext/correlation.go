// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// requestIDHeader is the correlation header that is always looked for.
const requestIDHeader = "x-request-id"

// correlation is a header whose value is passed on from request to request.
type correlation struct {
	name  string // lower case
	value []byte // a copy; its capacity is kept
	state presence
}

// correlationHeaders checks configured names and puts x-request-id before
// them, unless they name it themselves.
func correlationHeaders(names []string) ([]correlation, error) {
	hs := make([]correlation, 0, len(names)+1)
	for i, name := range names {
		low := strings.ToLower(name)
		if !token(low) {
			return nil, fmt.Errorf("correlation header %d: %q is not a header name", i, name)
		}
		if slices.ContainsFunc(hs, func(h correlation) bool { return h.name == low }) {
			return nil, fmt.Errorf("correlation header %d: %q is listed twice", i, name)
		}
		hs = append(hs, correlation{name: low})
	}
	if slices.ContainsFunc(hs, func(h correlation) bool { return h.name == requestIDHeader }) {
		return hs, nil
	}
	return slices.Insert(hs, 0, correlation{name: requestIDHeader}), nil
}

// token says whether s, in lower case, is a field name (RFC 9110 section 5.6.2).
func token(s string) bool {
	for _, c := range []byte(s) {
		if !lowerAlnum(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// take records a value: visible ASCII and spaces, so that it can become an
// attribute as it is.
func (h *correlation) take(v []byte) bool {
	ok := len(v) > 0 && len(v) <= MaxValue && !bytes.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r > 0x7e })
	switch {
	case ok && h.state == absent:
		h.state, h.value = valid, append(h.value[:0], v...)
	case ok && h.state == valid && bytes.Equal(h.value, v):
	default:
		h.state = invalid
		return false
	}
	return true
}

// Where Envoy's UUIDs have their version digit (envoy.request_id.uuid).
const (
	uuidSize    = 36
	uuidVersion = 14
)

// MaskRequestID returns s in the form in which request ids are compared. In a
// UUID Envoy overwrites the version digit, normally 4, with its sampling
// decision (9, a, b), and the next hop may overwrite it again; so that digit
// is set to 4. Anything that does not look like a UUID is returned as it is.
func MaskRequestID(s string) string {
	if !looksLikeUUID(s) || s[uuidVersion] == '4' {
		return s
	}
	return s[:uuidVersion] + "4" + s[uuidVersion+1:]
}

// SameRequestID says whether MaskRequestID makes a and b equal. It does not allocate.
func SameRequestID(a, b string) bool {
	if a == b {
		return true
	}
	return looksLikeUUID(a) && looksLikeUUID(b) &&
		a[:uuidVersion] == b[:uuidVersion] && a[uuidVersion+1:] == b[uuidVersion+1:]
}

// looksLikeUUID checks the textual form of RFC 9562 section 4.
func looksLikeUUID(s string) bool {
	if len(s) != uuidSize {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if nibble(s[i]) == noNibble {
				return false
			}
		}
	}
	return true
}
