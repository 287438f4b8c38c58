// SPDX-License-Identifier: Apache-2.0

package export

// ring is a first-in first-out buffer of a fixed capacity. Its memory grows
// with use up to that capacity.
type ring struct {
	buf   []*Span
	head  int // index of the oldest
	n     int
	limit int
}

func (r *ring) full() bool { return r.n == r.limit }

// push appends s; the ring must not be full.
func (r *ring) push(s *Span) {
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
		r.buf[r.head] = nil
		r.head++
		if r.head == len(r.buf) {
			r.head = 0
		}
		r.n--
	}
	return dst
}
