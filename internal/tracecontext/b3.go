// SPDX-License-Identifier: Apache-2.0

package tracecontext

// parseB3 reads the single header (b3-propagation, "Single Header"):
// trace-span[-state][-parent], or a lone state, which gives a Context that
// has a decision but no ids. The span that the header names is the parent of
// ours; the header's own parent is only checked.
func parseB3(v []byte) (Context, bool) {
	c := Context{Format: B3Single}
	if len(v) == 1 {
		d, ok := b3State(v[0])
		c.decide(d)
		return c, ok
	}
	trace := 16
	if len(v) > 32 && v[32] == '-' {
		trace = 32
	}
	end := trace + 1 + 16
	if len(v) < end || v[trace] != '-' || !decodeTraceID(&c.TraceID, v[:trace]) || !decodeSpanID(&c.SpanID, v[trace+1:end]) {
		return Context{}, false
	}
	c.HasSpan = true
	rest := v[end:]
	if len(rest) >= 2 && rest[0] == '-' && (len(rest) == 2 || rest[2] == '-') && rest[1] != '-' {
		d, ok := b3State(rest[1])
		if !ok {
			return Context{}, false
		}
		c.decide(d)
		rest = rest[2:]
	}
	return c, b3Parent(rest)
}

// b3State reads a sampling state; defer is its absence.
func b3State(s byte) (Decision, bool) {
	switch s {
	case '0':
		return Drop, true
	case '1', 'd':
		return Keep, true
	}
	return Undecided, false
}

// b3Parent checks what follows the state: nothing, or a dash and an id. Some
// proxies write nothing or another dash where they know no parent.
func b3Parent(rest []byte) bool {
	if len(rest) == 0 {
		return true
	}
	if rest[0] != '-' {
		return false
	}
	id := rest[1:]
	if len(id) == 0 || len(id) == 1 && id[0] == '-' {
		return true
	}
	var unused [8]byte
	return len(id) == 16 && decodeHex(unused[:], id)
}

// takeB3 reads one of the x-b3-* headers (b3-propagation, "Multiple Headers").
// x-b3-parentspanid is not among them: nothing is taken from it.
func (g *group) takeB3(h header, v []byte) bool {
	switch h {
	case hdrB3TraceID:
		return g.traceID(v)
	case hdrB3SpanID:
		return g.spanID(v)
	case hdrB3Flags: // "Debug Flag": not a bit field, 1 is the only value
		g.debug = g.debug || string(v) == "1"
		return string(v) == "1" || string(v) == "0"
	}
	return g.sampled(v)
}
