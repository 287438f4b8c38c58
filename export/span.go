// SPDX-License-Identifier: Apache-2.0

package export

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

// Status is a span's status as OTLP numbers it.
type Status uint8

// The statuses.
const (
	StatusUnset Status = 0
	StatusOK    Status = 1
	StatusError Status = 2
)

// String returns unset, ok or error.
func (s Status) String() string {
	return [...]string{"unset", "ok", "error", "unknown"}[min(s, 3)]
}

// Link points to a span of this or another trace.
type Link struct {
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	TraceState string
	Attrs      []attribute.KeyValue
}

// Span is one finished span. Once handed to Queue.Offer it is owned by the
// queue and must not be changed.
type Span struct {
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	Parent     trace.SpanID // zero for a root
	TraceState string       // W3C tracestate as received
	Flags      trace.TraceFlags
	Remote     bool // Parent came over the wire

	Name  string
	Kind  trace.SpanKind
	Start int64 // nanoseconds since the Unix epoch
	End   int64 // nanoseconds since the Unix epoch, never before Start

	Status    Status
	StatusMsg string
	Attrs     []attribute.KeyValue
	Links     []Link

	// Resource describes the process that the span belongs to. Spans with the
	// same pointer are batched into one ResourceSpans.
	Resource *resource.Resource

	// Revoked, if not nil, becomes true when the span is not to be sent any more,
	// because its process is not to be traced.
	Revoked *atomic.Bool

	size int // approximate encoded bytes, set by Queue.Offer
}

func (s *Span) revoked() bool { return s.Revoked != nil && s.Revoked.Load() }

// approxSize estimates the encoded size of s in bytes.
func approxSize(s *Span) int {
	const fixed, perAttr = 80, 16
	size := fixed + len(s.Name) + len(s.TraceState) + len(s.StatusMsg) + perAttr*len(s.Attrs)
	for i := range s.Attrs {
		size += len(s.Attrs[i].Key) + len(s.Attrs[i].Value.AsString())
	}
	return size + fixed*len(s.Links)
}
