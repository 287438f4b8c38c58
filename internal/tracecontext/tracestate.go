// SPDX-License-Identifier: Apache-2.0

package tracecontext

import "bytes"

const (
	stateMembers = 32  // Trace Context section 3.3.1.1: members of a list
	stateKey     = 256 // section 3.3.1.3.1: characters of a key
	stateValue   = 256 // section 3.3.1.3.2: characters of a value
)

// appendTracestate appends the members of a combined tracestate value to dst,
// joined by single commas, without the white space and the empty members that
// section 3.3.1.2 allows between them. It fails if a member is malformed, a
// key occurs twice (section 3.3.1.4), or there are too many members.
func appendTracestate(dst, v []byte) ([]byte, bool) {
	var keys [stateMembers][]byte
	n := 0
	for rest, more := v, true; more; {
		var m []byte
		m, rest, more = bytes.Cut(rest, []byte{','})
		if m = trim(m); len(m) == 0 {
			continue
		}
		key, ok := stateMember(m)
		if !ok || n == stateMembers || contains(keys[:n], key) {
			return dst, false
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m...)
		keys[n] = key
		n++
	}
	return dst, true
}

// stateMember checks one key=value pair and returns its key. White space
// before the value belongs to the value.
func stateMember(m []byte) (key []byte, ok bool) {
	key, value, found := bytes.Cut(m, []byte{'='})
	if !found || len(key) == 0 || len(key) > stateKey || len(value) == 0 || len(value) > stateValue {
		return nil, false
	}
	if !lowerAlnum(key[0]) {
		return nil, false
	}
	for _, c := range key[1:] {
		if !lowerAlnum(c) && c != '_' && c != '-' && c != '*' && c != '/' && c != '@' {
			return nil, false
		}
	}
	for _, c := range value {
		if c < 0x20 || c > 0x7e || c == '=' {
			return nil, false
		}
	}
	return key, true
}

// lowerAlnum is lcalpha / DIGIT.
func lowerAlnum(c byte) bool { return c-'a' <= 'z'-'a' || c-'0' <= 9 }

// contains says whether key is one of keys.
func contains(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}
