// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"fmt"
	"slices"
)

// MaxValue is the length in bytes, white space around it not counted, above
// which a value is invalid. It also bounds a tracestate that is joined from
// several headers.
const MaxValue = 2048

// Result is what the header fields of one request add up to.
type Result struct {
	// Parent is the context that wins; its Format is FormatNone if there is none.
	Parent Context
	// Links are the contexts of lower rank that differ from Parent and from
	// each other, in order. All have a span.
	Links []Context
	// Decision is the sampling decision of highest rank among those of Parent,
	// of contexts with the same ids, and of headers that carry a decision
	// without ids ("b3: 0").
	Decision Decision
	// Invalid is the number of headers, or incomplete sets of headers, that
	// were present but not valid.
	Invalid int
	// SW8 is nil unless a valid sw8 header is present.
	SW8 *SW8
	// RequestID is the value of x-request-id or else of the first configured
	// correlation header that is present and valid. It is printable ASCII.
	// Compare it with SameRequestID or after MaskRequestID.
	RequestID string
	// RequestIDHeader is the lower-case name of the header RequestID is from.
	RequestIDHeader string
}

// presence is what is known of a header that holds all there is to know.
type presence uint8

const (
	absent presence = iota
	valid
	invalid // malformed or ambiguous
)

// slot holds the context of a format that uses one header.
type slot struct {
	ctx   Context // without ids if the header holds none
	state presence
}

// Extractor collects the header fields of one head at a time: Begin, Field
// for each of them, Result. It keeps none of the slices it is given. It is
// made for reuse, and not safe for concurrent use.
type Extractor struct {
	order    []Format
	wanted   uint32 // bit set by header
	corr     []correlation
	corrLens uint64 // bit set by length of name modulo 64

	seen     uint32 // bit set by format, FormatNone for the rest: if 0, what follows is zero
	slots    [formatCount]slot
	groups   [formatCount]group
	state    []byte // tracestate headers, joined
	longTail bool   // state is not all of them: it would exceed MaxValue
	sw8      *SW8
	sw8Seen  presence
	invalid  int
	res      Result

	scratch []byte // for decoding, never longer than MaxValue
}

// NewExtractor returns an Extractor that looks for the formats in order, the
// one that wins first, and for the correlation headers named, besides
// x-request-id, in their order. An empty order means DefaultOrder. It is an
// error if a format is unknown or listed twice, or a name is not a header name
// or listed twice.
func NewExtractor(order []Format, correlation []string) (*Extractor, error) {
	if len(order) == 0 {
		order = DefaultOrder()
	}
	for i, f := range order {
		if f == FormatNone || f >= formatCount {
			return nil, fmt.Errorf("trace context format %d: %v cannot be looked for", i, f)
		}
		if slices.Contains(order[:i], f) {
			return nil, fmt.Errorf("trace context format %d: %v is listed twice", i, f)
		}
	}
	corr, err := correlationHeaders(correlation)
	if err != nil {
		return nil, err
	}
	x := &Extractor{order: slices.Clone(order), corr: corr, scratch: make([]byte, 0, MaxValue)}
	for h := hdrNone + 1; h < headerCount; h++ {
		if h == hdrSW8 || slices.Contains(order, h.format()) {
			x.wanted |= 1 << h
		}
	}
	for _, c := range corr {
		x.corrLens |= 1 << (len(c.name) % 64)
	}
	return x, nil
}

// Begin forgets the fields of the last head. The last Result's strings, Links
// and SW8 stay valid, the Result itself does not.
func (x *Extractor) Begin() {
	if x.seen == 0 {
		return
	}
	x.seen = 0
	clear(x.slots[:])
	clear(x.groups[:])
	for i := range x.corr {
		x.corr[i].state = absent
	}
	x.state, x.longTail = x.state[:0], false
	x.sw8, x.sw8Seen = nil, absent
	x.invalid = 0
	x.res = Result{}
}

// Empty says that none of the fields since Begin was one that is looked for.
func (x *Extractor) Empty() bool { return x.seen == 0 }

// Field takes one header field line. Trailer fields must not be passed.
func (x *Extractor) Field(name, value []byte) {
	if x.corrLens&(1<<(len(name)%64)) != 0 {
		x.correlate(name, value)
	}
	h := classify(name)
	if x.wanted&(1<<h) == 0 {
		return
	}
	x.seen |= 1 << h.format()
	if !x.take(h, trim(value)) {
		x.invalid++
	}
}

// correlate takes the field if it is a correlation header.
func (x *Extractor) correlate(name, value []byte) {
	for i := range x.corr {
		h := &x.corr[i]
		if len(h.name) != len(name) || !equalFold(name, h.name) {
			continue
		}
		x.seen |= 1 << FormatNone
		if !h.take(trim(value)) {
			x.invalid++
		}
		return
	}
}

// take reads a header that some format wants; false says that it is invalid.
func (x *Extractor) take(h header, v []byte) bool {
	f := h.format()
	if h == hdrTracestate {
		x.joinState(v)
		return true // judged in Result: only a valid traceparent gives it a meaning
	}
	tooLong := len(v) > MaxValue
	if tooLong {
		v = nil
	}
	var c Context
	var ok bool
	switch f {
	case W3C:
		c, ok = parseTraceparent(v)
	case B3Single:
		c, ok = parseB3(v)
	case B3Multi:
		return x.groups[f].takeB3(h, v)
	case Jaeger:
		c, ok = parseJaeger(v)
	case Datadog:
		if tooLong { // of x-datadog-tags an empty value would pass
			x.groups[f].bad = true
			return false
		}
		return x.groups[f].takeDatadog(h, v)
	case OpenTracing:
		return x.groups[f].takeOpenTracing(h, v)
	case LightStep:
		c, ok = parseLightStep(v, x.scratch)
	case XRay:
		c, ok = parseXRay(v)
	case GRPCBin:
		c, ok = parseGRPCBin(v, x.scratch)
	case GoogleCloud:
		c, ok = parseGoogleCloud(v)
	default:
		return x.takeSW8(v)
	}
	return x.fill(&x.slots[f], c, ok)
}

// fill puts c into its slot. A repeated header is invalid if it differs, and
// traceparent always: of two, neither can be trusted.
func (x *Extractor) fill(s *slot, c Context, ok bool) bool {
	switch {
	case ok && s.state == absent:
		s.ctx, s.state = c, valid
	case ok && s.state == valid && s.ctx == c && c.Format != W3C:
	default:
		s.state = invalid
		return false
	}
	return true
}

// joinState appends one tracestate header to the others (Trace Context section
// 3.3.1.1, RFC 9110 section 5.3).
func (x *Extractor) joinState(v []byte) {
	if len(x.state)+1+len(v) > MaxValue+1 {
		x.longTail = true
		return
	}
	x.state = append(append(x.state, ','), v...)
}

// takeSW8 reads an sw8 header, of which there may be one.
func (x *Extractor) takeSW8(v []byte) bool {
	if x.sw8Seen != absent {
		x.sw8, x.sw8Seen = nil, invalid
		return false
	}
	var ok bool
	x.sw8Seen = valid
	if x.sw8, ok = parseSW8(v, x.scratch); !ok {
		x.sw8, x.sw8Seen = nil, invalid
	}
	return ok
}
