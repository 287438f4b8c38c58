// SPDX-License-Identifier: Apache-2.0

package tracecontext

import "bytes"

// group collects a context that is spread over several headers.
type group struct {
	trace    [16]byte
	span     [8]byte
	have     part
	decision Decision
	debug    bool // overrides decision
	bad      bool // an id was invalid or ambiguous: there is no context
}

// part is a set of ids.
type part uint8

const (
	partTrace part = 1 << iota
	partSpan
	partHigh // Datadog's upper half of the trace id
)

// put stores an id, unless it is invalid or differs from an earlier one.
func (g *group) put(p part, dst, id []byte, ok bool) bool {
	if !ok || g.have&p != 0 && !bytes.Equal(dst, id) {
		g.bad = true
		return false
	}
	copy(dst, id)
	g.have |= p
	return true
}

// traceID takes 16 or 32 hexadecimal digits.
func (g *group) traceID(v []byte) bool {
	var id [16]byte
	ok := decodeTraceID(&id, v)
	return g.put(partTrace, g.trace[:], id[:], ok)
}

// spanID takes 16 hexadecimal digits.
func (g *group) spanID(v []byte) bool {
	var id [8]byte
	ok := decodeSpanID(&id, v)
	return g.put(partSpan, g.span[:], id[:], ok)
}

// sampled takes 1, 0, true or false. The first value wins (b3-propagation,
// "Multiple Headers"); an invalid one leaves the ids usable.
func (g *group) sampled(v []byte) bool {
	switch string(v) {
	case "1", "true":
		g.decide(Keep)
	case "0", "false":
		g.decide(Drop)
	default:
		return false
	}
	return true
}

// decide records the first decision.
func (g *group) decide(d Decision) {
	if g.decision == Undecided {
		g.decision = d
	}
}

// context returns what the headers add up to: a context, for B3 perhaps only
// a decision ("Sampling State"), or the zero Context. It is not ok if an id
// came without the one it needs.
func (g *group) context(f Format) (c Context, ok bool) {
	need := partTrace | partSpan
	if f == Datadog { // a trace id without a parent is legal
		need = partTrace
	}
	ids := g.have & (partTrace | partSpan)
	switch {
	case g.bad || ids == 0 && f != B3Multi:
		return Context{}, true
	case ids == 0:
	case ids&need != need:
		return Context{}, false
	default:
		c.TraceID, c.SpanID, c.HasSpan = g.trace, g.span, ids&partSpan != 0
	}
	c.Format = f
	c.decide(g.decision)
	if g.debug { // "Debug Flag" implies an accept decision
		c.decide(Keep)
	}
	return c, true
}
