// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"bytes"
	"encoding/binary"
)

// Field ids of OpenCensus "Binary Encoding", Trace Context.
const (
	binTraceID = 0 // 16 bytes
	binSpanID  = 1 // 8 bytes
	binOptions = 2 // 1 byte
)

// parseGRPCBin reads grpc-trace-bin: base64, as gRPC writes all metadata named
// *-bin, of version 0 of the OpenCensus encoding. Fields come in any order, an
// unknown one ends what can be read ("Deserialization Rules").
func parseGRPCBin(v, scratch []byte) (Context, bool) {
	b, ok := decodeBase64(scratch, v)
	if !ok || len(b) == 0 || b[0] != 0 {
		return Context{}, false
	}
	c := Context{Format: GRPCBin}
	options := []byte{0}
	var have [3]bool
	for b = b[1:]; len(b) > 0 && b[0] <= binOptions; {
		field := [...][]byte{binTraceID: c.TraceID[:], binSpanID: c.SpanID[:], binOptions: options}[b[0]]
		if have[b[0]] || len(b) <= len(field) {
			return Context{}, false
		}
		have[b[0]] = true
		b = b[1+copy(field, b[1:]):]
	}
	if c.TraceID == ([16]byte{}) || c.SpanID == ([8]byte{}) {
		return Context{}, false
	}
	c.HasSpan, c.Flags = true, options[0]
	if c.Flags&flagSampled != 0 { // "Trace-options": a clear bit is no decision
		c.Sampled = Keep
	}
	return c, true
}

// parseGoogleCloud reads x-cloud-trace-context (Google Cloud, "Trace context",
// legacy header): TRACE_ID[/SPAN_ID][;o=OPTIONS], 32 hexadecimal digits, a
// decimal number, 0 or 1. No span, or span 0, is a trace without a parent.
func parseGoogleCloud(v []byte) (Context, bool) {
	c := Context{Format: GoogleCloud}
	ids, options, _ := bytes.Cut(v, []byte{';'})
	trace, span, _ := bytes.Cut(ids, []byte{'/'})
	if len(trace) != 32 || !decodeTraceID(&c.TraceID, trace) {
		return Context{}, false
	}
	if len(span) > 0 {
		n, ok := decodeDecimal(span)
		if !ok {
			return Context{}, false
		}
		binary.BigEndian.PutUint64(c.SpanID[:], n)
		c.HasSpan = n != 0
	}
	switch string(trim(options)) {
	case "", "o=":
	case "o=0":
		c.decide(Drop)
	case "o=1":
		c.decide(Keep)
	default:
		return Context{}, false
	}
	return c, true
}
