// SPDX-License-Identifier: Apache-2.0

package httpparse

// Defaults of Limits.
const (
	DefaultHeadBytes = 64 << 10
	DefaultFields    = 128
)

// minHeadBytes leaves room for a candidate's method and confirming field name.
const minHeadBytes = 2 * maxScanName

// maxMethod is the longest method that is taken for one. RFC 9110 section 9.1
// sets no limit; the longest registered one has 17 bytes (UPDATEREDIRECTREF).
const maxMethod = 64

// Limits bounds what a Parser keeps. The zero value means the defaults.
type Limits struct {
	// HeadBytes is how much of a head is kept. The rest of a longer head is
	// passed over until its empty line, and the Head is reported Truncated.
	// It is at least 512.
	HeadBytes int
	// Fields is how many field lines of a head are reported, those included
	// that are refused. Those after them still take part in framing.
	Fields int
	// Scratch is working memory; nil gives the Parser its own.
	Scratch *Scratch
}

func (l Limits) withDefaults() Limits {
	if l.HeadBytes <= 0 {
		l.HeadBytes = DefaultHeadBytes
	}
	l.HeadBytes = max(l.HeadBytes, minHeadBytes)
	if l.Fields <= 0 {
		l.Fields = DefaultFields
	}
	if l.Scratch == nil {
		l.Scratch = new(Scratch)
	}
	return l
}

// Scratch is memory that a Parser needs only while it runs. Any number of
// Parsers may share one if a single goroutine uses them and none is fed from
// inside a Handler call of another. An idle Parser then holds no buffer of its
// own. The zero value is ready for use.
type Scratch struct {
	head   Head
	fields []Field
	spare  []byte
	memo   *memo
}

// Forget drops what is kept of heads that were reported, and their notes. What a
// head says may be secret, so it should not stay long; kept for a second, it
// serves a busy connection as well. No Handler call may be under way.
func (s *Scratch) Forget() {
	if s.memo != nil {
		clear(s.memo[:])
	}
	clear(s.fields[:cap(s.fields)])
	clear(s.spare[:cap(s.spare)])
	s.head = Head{}
}

// place is [memo.place].
func (s *Scratch) place(text []byte) *block {
	if s.memo == nil {
		s.memo = new(memo)
	}
	return s.memo.place(text)
}

// take gives an empty buffer, with capacity if one was returned before.
func (s *Scratch) take() []byte {
	b := s.spare
	s.spare = nil
	return b[:0]
}

// put takes a buffer back; of two the larger one is kept.
func (s *Scratch) put(b []byte) {
	if cap(b) > cap(s.spare) {
		s.spare = b[:0]
	}
}
