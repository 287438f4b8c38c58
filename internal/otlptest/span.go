// SPDX-License-Identifier: Apache-2.0

package otlptest

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Kind is a span kind as OTLP numbers it.
type Kind = tracepb.Span_SpanKind

// The kinds that an HTTP tracer emits.
const (
	Server = tracepb.Span_SPAN_KIND_SERVER
	Client = tracepb.Span_SPAN_KIND_CLIENT
)

// Attrs holds attributes by key. Values are string, bool, int64, float64,
// []byte, []any or Attrs (for key-value lists); nil for an empty value.
type Attrs map[string]any

// Span is one received span, decoded. Identifiers are lower-case hexadecimal.
type Span struct {
	TraceID    string // 32 digits
	SpanID     string // 16 digits
	Parent     string // 16 digits, or empty for a root
	TraceState string
	Flags      uint32 // OTLP span flags; the low 8 bits are the W3C trace flags

	Name       string
	Kind       Kind
	Start, End time.Time
	Status     tracepb.Status_StatusCode
	StatusMsg  string

	Attrs    Attrs
	Resource Attrs
	Scope    string // name of the instrumentation scope
	Links    []Link
	Events   int // number of span events

	Received time.Time // when the Sink got it
}

// Link is a link of a Span.
type Link struct {
	TraceID, SpanID, TraceState string
	Attrs                       Attrs
}

// Str returns the string attribute key, or "" if it is absent or of another type.
func (s *Span) Str(key string) string {
	v, _ := s.Attrs[key].(string)
	return v
}

// Int returns the integer attribute key, and whether it is present as an integer.
func (s *Span) Int(key string) (int64, bool) {
	v, ok := s.Attrs[key].(int64)
	return v, ok
}

// Has says whether attribute key is present.
func (s *Span) Has(key string) bool {
	_, ok := s.Attrs[key]
	return ok
}

// String renders the span on one line for test failures, attributes sorted by key.
func (s *Span) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q trace=%s span=%s parent=%q start=%s dur=%s status=%d", strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"),
		s.Name, s.TraceID, s.SpanID, s.Parent, s.Start.Format("15:04:05.000000"), s.End.Sub(s.Start), s.Status)
	keys := make([]string, 0, len(s.Attrs))
	for k := range s.Attrs {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, " %s=%.200s", k, fmt.Sprint(s.Attrs[k]))
	}
	return b.String()
}

// decode flattens one export request into spans, in wire order.
func decode(msg *collectorpb.ExportTraceServiceRequest, received time.Time) []Span {
	var out []Span
	for _, rs := range msg.GetResourceSpans() {
		res := attrs(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, sp := range ss.GetSpans() {
				s := decodeSpan(sp)
				s.Resource, s.Scope, s.Received = res, ss.GetScope().GetName(), received
				out = append(out, s)
			}
		}
	}
	return out
}

func decodeSpan(sp *tracepb.Span) Span {
	s := Span{
		TraceID:    hex.EncodeToString(sp.GetTraceId()),
		SpanID:     hex.EncodeToString(sp.GetSpanId()),
		Parent:     hex.EncodeToString(sp.GetParentSpanId()),
		TraceState: sp.GetTraceState(),
		Flags:      sp.GetFlags(),
		Name:       sp.GetName(),
		Kind:       sp.GetKind(),
		Start:      time.Unix(0, int64(sp.GetStartTimeUnixNano())),
		End:        time.Unix(0, int64(sp.GetEndTimeUnixNano())),
		Status:     sp.GetStatus().GetCode(),
		StatusMsg:  sp.GetStatus().GetMessage(),
		Attrs:      attrs(sp.GetAttributes()),
		Events:     len(sp.GetEvents()),
	}
	for _, l := range sp.GetLinks() {
		s.Links = append(s.Links, Link{
			TraceID:    hex.EncodeToString(l.GetTraceId()),
			SpanID:     hex.EncodeToString(l.GetSpanId()),
			TraceState: l.GetTraceState(),
			Attrs:      attrs(l.GetAttributes()),
		})
	}
	return s
}

func attrs(kvs []*commonpb.KeyValue) Attrs {
	out := make(Attrs, len(kvs))
	for _, kv := range kvs {
		out[kv.GetKey()] = value(kv.GetValue())
	}
	return out
}

func value(v *commonpb.AnyValue) any {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return x.StringValue
	case *commonpb.AnyValue_BoolValue:
		return x.BoolValue
	case *commonpb.AnyValue_IntValue:
		return x.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return x.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return x.BytesValue
	case *commonpb.AnyValue_ArrayValue:
		list := make([]any, 0, len(x.ArrayValue.GetValues()))
		for _, e := range x.ArrayValue.GetValues() {
			list = append(list, value(e))
		}
		return list
	case *commonpb.AnyValue_KvlistValue:
		return attrs(x.KvlistValue.GetValues())
	}
	return nil
}
