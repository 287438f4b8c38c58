// SPDX-License-Identifier: Apache-2.0

package httpparse

// tchar marks the bytes of a token (RFC 9110 section 5.6.2). It is never written to.
var tchar = bytesIn("!#$%&'*+-.^_`|~0123456789" +
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

func bytesIn(chars string) (t [256]bool) {
	for _, c := range []byte(chars) {
		t[c] = true
	}
	return t
}

// isTarget says whether c can stand in a request-target. Bytes above 0x7f are
// not allowed by RFC 9112 section 3.2 but common on the wire.
func isTarget(c byte) bool { return c > ' ' && c != 0x7f }

// isTargetStart says whether c begins one of the four forms of RFC 9112
// section 3.2: origin, absolute, authority, asterisk.
func isTargetStart(c byte) bool {
	return c == '/' || c == '*' || c == '[' || isDigit(c) || (c|0x20 >= 'a' && c|0x20 <= 'z')
}

// isReason says whether c can stand in a reason-phrase (RFC 9112 section 4).
func isReason(c byte) bool { return c == '\t' || (c >= ' ' && c != 0x7f) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isBlank says whether c is optional white space (RFC 9110 section 5.6.3).
func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// hexValue gives the value of a HEXDIG, or -1.
func hexValue(c byte) int64 {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0')
	case c >= 'a' && c <= 'f':
		return int64(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int64(c-'A') + 10
	}
	return -1
}

func trimBlank(b []byte) []byte {
	from, to := 0, len(b)
	for from < to && isBlank(b[from]) {
		from++
	}
	for from < to && isBlank(b[to-1]) {
		to--
	}
	return b[from:to]
}

// trimCR drops the CR of a line whose LF is already gone. A lone LF ends a
// line too (RFC 9112 section 2.2).
func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// equalFold compares b with lower, which must consist of lower-case letters and "-".
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := 0; i < len(lower); i++ {
		// Setting 0x20 makes letters lower-case and "-" out of CR only.
		if c := b[i]; c|0x20 != lower[i] || c < ' ' {
			return false
		}
	}
	return true
}
