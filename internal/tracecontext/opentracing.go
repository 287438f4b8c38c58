// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"encoding/base64"
	"encoding/binary"
)

// takeOpenTracing reads one of the ot-tracer-* headers (OpenTelemetry OT Trace
// propagator): hexadecimal ids, a boolean that some senders write as a digit.
func (g *group) takeOpenTracing(h header, v []byte) bool {
	switch h {
	case hdrOTTraceID:
		return g.traceID(v)
	case hdrOTSpanID:
		return g.spanID(v)
	}
	return g.sampled(v)
}

// Field numbers of lightstep_carrier.proto.
const (
	carrierBasic   = 2 // BinaryCarrier.basic_ctx, a message
	basicTraceID   = 1 // BasicTracerCarrier.trace_id, fixed64
	basicSpanID    = 2 // BasicTracerCarrier.span_id, fixed64
	basicIsSampled = 3 // BasicTracerCarrier.sampled, bool
)

// Wire types (Protocol Buffers, "Encoding").
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// parseLightStep reads x-ot-span-context: base64 of a BinaryCarrier. Senders
// that leave the sampled field out are taken as undecided, although the
// encoding cannot tell that from false.
func parseLightStep(v, scratch []byte) (Context, bool) {
	b, ok := decodeBase64(scratch, v)
	if !ok {
		return Context{}, false
	}
	c := Context{Format: LightStep, HasSpan: true}
	for len(b) > 0 {
		var f protoField
		if f, b, ok = nextField(b); !ok {
			return Context{}, false
		}
		if f.number == carrierBasic && f.wire == wireBytes && !c.basicTracer(f.bytes) {
			return Context{}, false
		}
	}
	return c, c.TraceID != [16]byte{} && c.SpanID != [8]byte{}
}

// basicTracer reads a BasicTracerCarrier.
func (c *Context) basicTracer(b []byte) bool {
	for len(b) > 0 {
		var f protoField
		var ok bool
		if f, b, ok = nextField(b); !ok {
			return false
		}
		switch {
		case f.number == basicTraceID && f.wire == wireFixed64:
			binary.BigEndian.PutUint64(c.TraceID[8:], f.value)
		case f.number == basicSpanID && f.wire == wireFixed64:
			binary.BigEndian.PutUint64(c.SpanID[:], f.value)
		case f.number == basicIsSampled && f.wire == wireVarint && f.value == 0:
			c.decide(Drop)
		case f.number == basicIsSampled && f.wire == wireVarint:
			c.decide(Keep)
		}
	}
	return true
}

// protoField is one field of an encoded message.
type protoField struct {
	number uint64
	wire   uint64
	value  uint64 // valid iff wire is wireVarint or wireFixed64
	bytes  []byte // valid iff wire is wireBytes; aliases the message
}

// nextField splits the first field off b. Groups, long out of use, are errors.
func nextField(b []byte) (f protoField, rest []byte, ok bool) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 {
		return f, nil, false
	}
	f.number, f.wire, b = tag>>3, tag&7, b[n:]
	size := uint64(0)
	switch f.wire {
	case wireVarint:
		f.value, n = binary.Uvarint(b)
		return f, b[max(n, 0):], n > 0
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	case wireBytes:
		if size, n = binary.Uvarint(b); n <= 0 {
			return f, nil, false
		}
		b = b[n:]
	default:
		return f, nil, false
	}
	if size > uint64(len(b)) {
		return f, nil, false
	}
	f.bytes = b[:size]
	if size == 8 {
		f.value = binary.LittleEndian.Uint64(f.bytes)
	}
	return f, b[size:], true
}

// decodeBase64 decodes standard base64 (RFC 4648 section 4) with or without
// its padding into scratch, whose capacity must suffice for MaxValue.
func decodeBase64(scratch, v []byte) ([]byte, bool) {
	for i := 0; i < 2 && len(v) > 0 && v[len(v)-1] == '='; i++ {
		v = v[:len(v)-1]
	}
	scratch = scratch[:cap(scratch)]
	if base64.RawStdEncoding.DecodedLen(len(v)) > len(scratch) {
		return nil, false
	}
	n, err := base64.RawStdEncoding.Decode(scratch, v)
	return scratch[:n], err == nil
}
