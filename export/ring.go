// SPDX-License-Identifier: Apache-2.0

package export

// spanMemory is what a span takes in memory besides its text: the struct and
// room for its attributes.
const spanMemory = 1200

// ring is a first-in first-out buffer, bounded by the number of spans and by
// their approximate memory. It grows with use.
type ring struct {
	buf       []*Span
	head      int // index of the oldest
	n         int
	limit     int
	bytes     int
	byteLimit int
}

// fits says if there is room for s. A single span always fits.
func (r *ring) fits(s *Span) bool {
	return r.n == 0 || r.n < r.limit && r.bytes+s.size+spanMemory <= r.byteLimit
}

// push appends s, which must fit.
func (r *ring) push(s *Span) {
	r.bytes += s.size + spanMemory
	if r.n == len(r.buf) {
		r.grow()
	}
	i := r.head + r.n
	if i >= len(r.buf) {
		i -= len(r.buf)
	}
	r.buf[i] = s
	r.n++
}

func (r *ring) grow() {
	bigger := make([]*Span, min(r.limit, max(64, 2*len(r.buf))))
	n := copy(bigger, r.buf[r.head:])
	copy(bigger[n:], r.buf[:r.head])
	r.buf, r.head = bigger, 0
}

// take moves up to limit of the oldest spans to dst.
func (r *ring) take(dst []*Span, limit int) []*Span {
	for range min(limit, r.n) {
		dst = append(dst, r.buf[r.head])
		r.bytes -= r.buf[r.head].size + spanMemory
		r.buf[r.head] = nil
		r.head++
		if r.head == len(r.buf) {
			r.head = 0
		}
		r.n--
	}
	return dst
}
