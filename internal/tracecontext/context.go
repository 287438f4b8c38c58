// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"encoding/hex"
	"fmt"
)

// Format names the convention by which a context was written into headers.
type Format uint8

const (
	FormatNone  Format = iota // no context
	W3C                       // traceparent and tracestate
	B3Single                  // b3
	B3Multi                   // x-b3-traceid and its companions
	Jaeger                    // uber-trace-id
	Datadog                   // x-datadog-trace-id and its companions
	OpenTracing               // ot-tracer-traceid and its companions
	LightStep                 // x-ot-span-context
	XRay                      // x-amzn-trace-id
	GRPCBin                   // grpc-trace-bin
	GoogleCloud               // x-cloud-trace-context, not in DefaultOrder
	formatCount
)

// DefaultOrder returns the formats that are looked for when nothing else is
// configured, the one that wins first. GoogleCloud is left out: Google's load
// balancers add that header to requests whether or not anything traces them.
func DefaultOrder() []Format {
	return []Format{W3C, B3Single, B3Multi, Jaeger, Datadog, OpenTracing, LightStep, XRay, GRPCBin}
}

// String returns the name used in span attributes and in configuration.
func (f Format) String() string {
	switch f {
	case FormatNone:
		return "none"
	case W3C:
		return "w3c"
	case B3Single:
		return "b3"
	case B3Multi:
		return "b3multi"
	case Jaeger:
		return "jaeger"
	case Datadog:
		return "datadog"
	case OpenTracing:
		return "ottrace"
	case LightStep:
		return "lightstep"
	case XRay:
		return "xray"
	case GRPCBin:
		return "grpc"
	case GoogleCloud:
		return "gcp"
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// ParseFormat returns the format that String calls s. "none" is an error.
func ParseFormat(s string) (Format, error) {
	for f := FormatNone + 1; f < formatCount; f++ {
		if f.String() == s {
			return f, nil
		}
	}
	return FormatNone, fmt.Errorf("unknown trace context format %q", s)
}

// Decision is what the sender of a context decided about sampling.
type Decision uint8

const (
	Undecided Decision = iota // left to the receiver
	Drop                      // not sampled
	Keep                      // sampled, or debug
)

// String returns "undecided", "drop" or "keep".
func (d Decision) String() string {
	switch d {
	case Drop:
		return "drop"
	case Keep:
		return "keep"
	}
	return "undecided"
}

// Context is a span of another process as one header format described it.
// The zero Context says that there is none.
type Context struct {
	TraceID [16]byte // never zero unless Format is FormatNone
	SpanID  [8]byte  // the parent of a span caused by the request; valid iff HasSpan, then never zero
	HasSpan bool     // false for a trace id without a parent, which Datadog and Google allow
	Sampled Decision
	// Flags are W3C trace flags (Trace Context section 3.2.2.5): as received
	// for W3C and GRPCBin, otherwise 01 iff Sampled is Keep.
	Flags  byte
	Format Format
	// TraceState is the list of tracestate members in order, joined by commas,
	// without empty members. Only of W3C, and empty if it was not valid.
	TraceState string
}

// flagSampled is the only trace flag that carries a decision.
const flagSampled = 0x01

// decide sets Sampled, and Flags to match.
func (c *Context) decide(d Decision) {
	c.Sampled, c.Flags = d, 0
	if d == Keep {
		c.Flags = flagSampled
	}
}

// SameContext says whether a and b name the same span of the same trace. Their
// format, sampling and tracestate do not matter.
func SameContext(a, b Context) bool {
	return a.TraceID == b.TraceID && a.HasSpan == b.HasSpan && a.SpanID == b.SpanID
}

// String returns c as a traceparent value of version 00. Without a span the
// parent id is all zeros; without a context the result is empty.
func (c Context) String() string {
	if c.TraceID == ([16]byte{}) {
		return ""
	}
	b := make([]byte, 0, traceparentSize)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, c.TraceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, c.SpanID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, []byte{c.Flags})
	return string(b)
}
