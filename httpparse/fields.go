// SPDX-License-Identifier: Apache-2.0

package httpparse

import "bytes"

// special marks the first bytes of lines that matter where a message ends: the
// empty line, a folded one, and the names that framing knows. It is never
// written to.
var special = bytesIn("\r\n \tcCtTuU")

// scan reads field lines until the empty line. It gives the bytes read, the
// number of lines, and whether the empty line was behind them. Folded lines end
// the reading unless unfolded says that the caller has joined them; a line
// that still begins with white space then has nothing to continue and is
// passed over (RFC 9112 section 2.2).
func (f *framing) scan(k Kind, b []byte, unfolded bool) (n, lines int, whole bool) {
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return n, lines, false
		}
		if first := b[n]; special[first] {
			switch {
			case i == 0, i == 1 && first == '\r':
				return n + i + 1, lines, true
			case !isBlank(first):
				f.line(k, b[n:n+i])
			case !unfolded:
				return n, lines, false
			}
		}
		n += i + 1
		lines++
	}
}

// appendFields appends the fields among the first lines of text.
func appendFields(fields []Field, k Kind, text []byte, lines int) []Field {
	n := len(fields)
	fields = fields[:cap(fields)]
	for range lines {
		i := bytes.IndexByte(text, '\n')
		if n == len(fields) {
			fields = append(fields, Field{})
		}
		if fields[n].read(k, text[:i]) {
			n++
		}
		text = text[i+1:]
	}
	return fields[:n]
}

// read cuts a field line, without its LF, at its colon. A line that is no field
// is refused and thus neither reported nor used for framing.
func (f *Field) read(k Kind, line []byte) bool {
	n := 0
	for n < len(line) && tchar[line[n]] {
		n++
	}
	from, to, ok := valueOf(k, line, n)
	if !ok || n == 0 {
		return false
	}
	f.Name, f.Value = line[:n], line[from:to]
	return true
}

// valueOf finds the value of a field line whose name takes n bytes. White space
// before the colon is refused in a request, as servers must do; in a response a
// recipient removes it (RFC 9112 section 5.1).
func valueOf(k Kind, line []byte, n int) (from, to int, ok bool) {
	to = len(trimCR(line))
	if k == Response {
		for n < to && isBlank(line[n]) {
			n++
		}
	}
	if n >= to || line[n] != ':' {
		return 0, 0, false
	}
	from = n + 1
	for from < to && isBlank(line[from]) {
		from++
	}
	for from < to && isBlank(line[to-1]) {
		to--
	}
	return from, to, true
}

// unfold joins folded field lines in place, by white space for the line end
// (RFC 9112 section 5.2). The line after the start line cannot be a
// continuation (section 2.2) and is left alone.
func unfold(head []byte) {
	start := bytes.IndexByte(head, '\n') + 1
	for i := start; i+1 < len(head); i++ {
		if head[i] != '\n' || !isBlank(head[i+1]) {
			continue
		}
		head[i] = ' '
		if head[i-1] == '\r' {
			head[i-1] = ' '
		}
	}
}
