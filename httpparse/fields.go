// SPDX-License-Identifier: Apache-2.0

package httpparse

import "bytes"

// parseFields reads field lines into h and f until the empty line. It gives
// the bytes read and whether the empty line was among them. Folded lines end
// the reading unless unfolded says that the caller has joined them; a line
// that still begins with white space then has nothing to continue and is
// passed over (RFC 9112 section 2.2).
func (p *Parser) parseFields(b []byte, h *Head, f *framing, unfolded bool) (n int, whole bool) {
	fields, used := p.lim.Scratch.fields, 0
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			break
		}
		line := trimCR(b[n : n+i])
		if len(line) > 0 && isBlank(line[0]) && !unfolded {
			break
		}
		n += i + 1
		if len(line) == 0 {
			whole = true
			break
		}
		if used == len(fields) {
			fields = append(fields, Field{})
		}
		field := &fields[used]
		if !field.read(h.Kind, line) {
			continue
		}
		if concerns(len(field.Name)) {
			f.note(field.Name, field.Value)
		}
		if used < p.lim.Fields {
			used++
		} else {
			h.Truncated = true
		}
	}
	p.lim.Scratch.fields = fields
	h.Fields = fields[:used]
	return n, whole
}

// read cuts a field line at its colon. A line that is no field is refused and
// thus neither reported nor used for framing. So is one with white space
// before the colon in a request, which servers must reject; in a response a
// recipient removes that white space (RFC 9112 section 5.1).
func (f *Field) read(k Kind, line []byte) bool {
	n := 0
	for n < len(line) && tchar[line[n]] {
		n++
	}
	colon := n
	if k == Response {
		for colon < len(line) && isBlank(line[colon]) {
			colon++
		}
	}
	if n == 0 || colon == len(line) || line[colon] != ':' {
		return false
	}
	f.Name, f.Value = line[:n], trimBlank(line[colon+1:])
	return true
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
