// SPDX-License-Identifier: Apache-2.0

package httpparse

import "encoding/binary"

const (
	memoBlocks = 64
	memoShift  = 64 - 6 // leaves as many bits as memoBlocks takes
	memoText   = 1024   // bytes of a block that is kept, at most
	memoLine   = 256    // bytes of a start line that is kept, at most
	memoKey    = 16     // bytes that choose a block's place
)

// memo keeps the field lines of heads. Those of one client or server often are
// the same, byte for byte, for many messages: then a comparison is all there is
// to do. A block that was found means what it meant before. [Scratch.Forget]
// empties it.
type memo [memoBlocks]block

// block is the lines of a head behind its start line, the empty line included,
// and what they mean in a message of a kind.
type block struct {
	text    [memoText]byte
	size    int // of text; 0: none is kept
	kind    Kind
	lines   int // without the empty one
	framing framing
	cut     bool
	fields  []Field // in text, valid iff cut
	note    any     // Head.Note
	last    startLine
}

// startLine is the start line of the latest head with the fields of a block.
type startLine struct {
	text             [memoLine]byte
	size             int // of text; 0: none is kept
	minor            uint8
	method, from, to int // where method and target lie in text; 0 for a response
	status           int
	note             any // Head.WholeNote
}

// place returns where the block that b begins with is kept if it is; nil if b is
// too short for that.
func (m *memo) place(b []byte) *block {
	if len(b) < memoKey {
		return nil
	}
	const mix = 0x9e3779b97f4a7c15 // odd, and its bits look random
	key := binary.LittleEndian.Uint64(b) ^ binary.LittleEndian.Uint64(b[8:memoKey])*mix ^ uint64(len(b))<<32
	return &m[key*mix>>memoShift]
}

// recall fills h and f if text begins with the block, of at most so many lines,
// and line is a start line. It gives the bytes of the block.
func (l *block) recall(line, text []byte, lines int, h *Head, f *framing) (size int, ok bool) {
	if l == nil || l.size == 0 || l.size > len(text) || l.kind != h.Kind || l.lines > lines ||
		string(text[:l.size]) != string(l.text[:l.size]) {
		return 0, false
	}
	if h.again = l.last.recall(line, h); !h.again {
		if !parseStartLine(h.Kind, line, h) {
			return 0, false
		}
		l.last.keep(line, h)
	}
	h.kept = l
	*f = l.framing
	return l.size, true
}

// keep takes a block in place of the one before, if it is not too long.
func (l *block) keep(k Kind, text []byte, lines int, f *framing) {
	if l == nil || len(text) > memoText {
		return
	}
	copy(l.text[:], text)
	l.size, l.kind, l.lines, l.framing = len(text), k, lines, *f
	l.cut, l.note = false, nil
	l.last.size, l.last.note = 0, nil
}

// all returns the fields of the block.
func (l *block) all() []Field {
	if !l.cut {
		l.cut = true
		l.fields = appendFields(l.fields[:0], l.kind, l.text[:l.size], l.lines)
	}
	return l.fields
}

// recall fills h if line is the one that is kept.
func (s *startLine) recall(line []byte, h *Head) bool {
	if string(line) != string(s.text[:s.size]) { // line is never empty
		return false
	}
	h.Major, h.Minor, h.Status = 1, s.minor, s.status
	h.Method, h.Target = line[:s.method], line[s.from:s.to]
	return true
}

// keep takes a line that was read into h.
func (s *startLine) keep(line []byte, h *Head) {
	s.size, s.note = 0, nil
	if len(line) > memoLine {
		return
	}
	s.size = copy(s.text[:], line)
	s.minor, s.status = h.Minor, h.Status
	if h.Kind == Request {
		s.method, s.from = len(h.Method), cap(line)-cap(h.Target)
		s.to = s.from + len(h.Target)
	} else {
		s.method, s.from, s.to = 0, 0, 0
	}
}
