// SPDX-License-Identifier: Apache-2.0

package httpparse

// preface2 is the first line of the HTTP/2 connection preface (RFC 9113 section 3.4).
const preface2 = "PRI * HTTP/2.0"

const versionPrefix = "HTTP/1."

// parseStartLine reads a start line without its line end into h.
// It reports false if line is none of this protocol.
func parseStartLine(k Kind, line []byte, h *Head) bool {
	if k == Response {
		return parseStatusLine(line, h)
	}
	return parseRequestLine(line, h)
}

// parseRequestLine reads method SP request-target SP HTTP-version (RFC 9112
// section 3). More white space around the target is let pass, as that section
// allows. A target that holds spaces is invalid, but section 3.2 has servers
// answer it (400, 301), so it is kept if it begins like a path: it is still a request.
func parseRequestLine(line []byte, h *Head) bool {
	n := 0
	for n < len(line) && tchar[line[n]] {
		n++
	}
	v := len(line) - len(versionPrefix) - 1 // where HTTP/1.x must stand
	if n == 0 || n > maxMethod || v < n+3 || line[n] != ' ' || line[v-1] != ' ' {
		return false
	}
	if !parseVersion(line[v:], h) {
		return false
	}
	target := trimBlank(line[n+1 : v-1])
	for _, c := range target {
		if !isTarget(c) && (c != ' ' || target[0] != '/') {
			return false
		}
	}
	h.Method, h.Target = line[:n], target
	return len(target) > 0
}

// parseStatusLine reads HTTP-version SP status-code SP [reason] (RFC 9112
// section 4). More white space before the code is let pass, the SP after it may
// be missing, as some servers leave it out, and the reason is not looked at, as
// recipients must not depend on it.
func parseStatusLine(line []byte, h *Head) bool {
	const v = len(versionPrefix) + 1 // the length of HTTP/1.x
	if len(line) < v+4 || line[v] != ' ' || !parseVersion(line[:v], h) {
		return false
	}
	code := line[v+1:]
	for len(code) > 3 && isBlank(code[0]) {
		code = code[1:]
	}
	if len(code) > 3 && code[3] != ' ' {
		return false
	}
	a, b, c := code[0], code[1], code[2]
	if a < '1' || a > '9' || !isDigit(b) || !isDigit(c) {
		return false
	}
	h.Status = int(a-'0')*100 + int(b-'0')*10 + int(c-'0')
	return true
}

// parseVersion reads exactly HTTP/1.x (RFC 9112 section 2.3, case-sensitive).
func parseVersion(b []byte, h *Head) bool {
	n := len(versionPrefix)
	if len(b) != n+1 || string(b[:n]) != versionPrefix || !isDigit(b[n]) {
		return false
	}
	h.Major, h.Minor = 1, b[n]-'0'
	return true
}

// plausibleStart says whether b, which holds no LF, can still become a start
// line. What it refuses parseStartLine refuses too, whatever follows.
func plausibleStart(k Kind, b []byte) bool {
	if len(b) > 0 && b[0] == '\r' { // the CR of a leading empty line
		return len(b) == 1
	}
	if k == Response {
		n := min(len(b), len(versionPrefix))
		return string(b[:n]) == versionPrefix[:n]
	}
	for i, c := range b {
		if !tchar[c] {
			return i > 0 && c == ' '
		}
		if i >= maxMethod {
			return false
		}
	}
	return true
}
