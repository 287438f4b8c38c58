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

	// Shared are further attributes, such as other spans have too; nil adds
	// none. A span's keys must differ, be they here or in Attrs.
	Shared [2]*AttrSet

	// Resource describes the process that the span belongs to. Spans with the
	// same pointer are batched into one ResourceSpans.
	Resource *resource.Resource

	// Revoked, if not nil, becomes true when the span is not to be sent any more,
	// because its process is not to be traced.
	Revoked *atomic.Bool

	size int // approximate encoded bytes, set by Queue.Offer
}

func (s *Span) revoked() bool { return s.Revoked != nil && s.Revoked.Load() }

// AppendAttributes appends all attributes of s, shared ones first, to dst.
func (s *Span) AppendAttributes(dst []attribute.KeyValue) []attribute.KeyValue {
	for _, shared := range s.Shared {
		dst = append(dst, shared.Attributes()...)
	}
	return append(dst, s.Attrs...)
}

// approxSize estimates the encoded size of s in bytes.
func approxSize(s *Span) int {
	const fixed = 80
	size := fixed + len(s.Name) + len(s.TraceState) + len(s.StatusMsg) + attrsSize(s.Attrs)
	for _, shared := range s.Shared {
		if shared != nil {
			size += shared.size
		}
	}
	return size + fixed*len(s.Links)
}

// attrsSize estimates the encoded size of attrs in bytes.
func attrsSize(attrs []attribute.KeyValue) int {
	const perAttr = 16
	size := perAttr * len(attrs)
	for i := range attrs {
		size += len(attrs[i].Key)
		if v := &attrs[i].Value; v.Type() == attribute.STRING {
			size += len(v.AsString())
		}
	}
	return size
}
