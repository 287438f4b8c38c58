// SPDX-License-Identifier: Apache-2.0

package httpparse

import "encoding/binary"

const (
	memoBlocks = 64
	memoShift  = 64 - 6 // leaves as many bits as memoBlocks takes
	memoText   = 1024   // bytes of a block that is kept, at most
	memoKey    = 16     // bytes that choose a block's place
)

// memo keeps the field lines of heads. Those of one client or server often are
// the same, byte for byte, for many messages: then a comparison is all there is
// to do. A block that was found means what it meant before.
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

// begins says that text begins with the block that is kept.
func (l *block) begins(k Kind, text []byte) bool {
	n := l.size
	return n != 0 && n <= len(text) && l.kind == k && string(text[:n]) == string(l.text[:n])
}

// keep takes a block in place of the one before.
func (l *block) keep(k Kind, text []byte, lines int, f *framing) {
	if len(text) > memoText {
		return
	}
	copy(l.text[:], text)
	l.size, l.kind, l.lines, l.framing = len(text), k, lines, *f
	l.cut, l.note = false, nil
}

// all returns the fields of the block.
func (l *block) all() []Field {
	if !l.cut {
		l.cut = true
		l.fields = appendFields(l.fields[:0], l.kind, l.text[:l.size], l.lines)
	}
	return l.fields
}
