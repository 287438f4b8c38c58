// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// decodeSpan reads what appendSpan wrote with the generated types.
func decodeSpan(t *testing.T, s *Span) *tracepb.Span {
	t.Helper()
	var scope tracepb.ScopeSpans
	if err := proto.Unmarshal(appendSpan(nil, s), &scope); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	if len(scope.Spans) != 1 || len(scope.ProtoReflect().GetUnknown()) != 0 {
		t.Fatalf("got %d spans, unknown fields %x", len(scope.Spans), scope.ProtoReflect().GetUnknown())
	}
	if u := scope.Spans[0].ProtoReflect().GetUnknown(); len(u) != 0 {
		t.Fatalf("span has unknown fields %x", u)
	}
	return scope.Spans[0]
}

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func integer(n int64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: n}}
}

func boolean(v bool) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: v}}
}

func double(f float64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: f}}
}

func array(vs ...*commonpb.AnyValue) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: vs}}}
}

func kvlist(kvs ...*commonpb.KeyValue) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: kvs}}}
}

func TestAppendSpanWritesEveryField(t *testing.T) {
	s := fullSpan()
	want := &tracepb.Span{
		TraceId:           s.TraceID[:],
		SpanId:            s.SpanID[:],
		ParentSpanId:      s.Parent[:],
		TraceState:        "vendor=1",
		Flags:             0x301,
		Name:              "POST /orders",
		Kind:              tracepb.Span_SPAN_KIND_CLIENT,
		StartTimeUnixNano: uint64(s.Start),
		EndTimeUnixNano:   uint64(s.End),
		Attributes:        []*commonpb.KeyValue{{Key: "http.request.method", Value: text("POST")}},
		Status:            &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "connection reset"},
		Links: []*tracepb.Span_Link{{
			TraceId:    s.Links[0].TraceID[:],
			SpanId:     s.Links[0].SpanID[:],
			TraceState: "other=2",
			Attributes: []*commonpb.KeyValue{{Key: "why", Value: text("batch")}},
		}},
	}
	if got := decodeSpan(t, s); !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// fullSpan sets every field.
func fullSpan() *Span {
	return &Span{
		TraceID: trace.TraceID{1, 2, 15: 16}, SpanID: trace.SpanID{1, 7: 8}, Parent: trace.SpanID{9, 7: 9},
		TraceState: "vendor=1", Flags: trace.FlagsSampled, Remote: true,
		Name: "POST /orders", Kind: trace.SpanKindClient,
		Start: epoch.UnixNano(), End: epoch.Add(1500 * time.Microsecond).UnixNano(),
		Status: StatusError, StatusMsg: "connection reset",
		Attrs: []attribute.KeyValue{attribute.String("http.request.method", "POST")},
		Links: []Link{{
			TraceID: trace.TraceID{3}, SpanID: trace.SpanID{4}, TraceState: "other=2",
			Attrs: []attribute.KeyValue{attribute.String("why", "batch")},
		}},
	}
}

func TestAppendSpanLeavesOutWhatIsUnset(t *testing.T) {
	got := decodeSpan(t, &Span{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Name: "GET"})
	if got.ParentSpanId != nil || got.Status != nil || got.TraceState != "" || got.Links != nil || got.Attributes != nil {
		t.Errorf("unset fields were written: %v", got)
	}
	if got.Flags != 0x100 {
		t.Errorf("flags = %#x, want only HAS_IS_REMOTE", got.Flags)
	}
}

func TestAppendSpanStatusOK(t *testing.T) {
	got := decodeSpan(t, &Span{Status: StatusOK})
	if got.Status.GetCode() != tracepb.Status_STATUS_CODE_OK || got.Status.GetMessage() != "" {
		t.Errorf("status = %v", got.Status)
	}
}

func TestAppendSpanKinds(t *testing.T) {
	for kind, want := range map[trace.SpanKind]tracepb.Span_SpanKind{
		trace.SpanKindUnspecified: tracepb.Span_SPAN_KIND_UNSPECIFIED,
		trace.SpanKindInternal:    tracepb.Span_SPAN_KIND_INTERNAL,
		trace.SpanKindServer:      tracepb.Span_SPAN_KIND_SERVER,
		trace.SpanKindClient:      tracepb.Span_SPAN_KIND_CLIENT,
		trace.SpanKindProducer:    tracepb.Span_SPAN_KIND_PRODUCER,
		trace.SpanKindConsumer:    tracepb.Span_SPAN_KIND_CONSUMER,
	} {
		if got := decodeSpan(t, &Span{Kind: kind}).Kind; got != want {
			t.Errorf("kind %v written as %v", kind, got)
		}
	}
}

func TestAppendKeyValueTypes(t *testing.T) {
	long := strings.Repeat("x", 20000)
	tests := map[string]struct {
		in   attribute.Value
		want *commonpb.AnyValue
	}{
		"string":          {attribute.StringValue("a"), text("a")},
		"empty string":    {attribute.StringValue(""), text("")},
		"string of 127":   {attribute.StringValue(long[:127]), text(long[:127])},
		"string of 128":   {attribute.StringValue(long[:128]), text(long[:128])},
		"string of 20000": {attribute.StringValue(long), text(long)},
		"invalid UTF-8":   {attribute.StringValue("a\xff\xfeb"), text("a\uFFFDb")},
		"true":            {attribute.BoolValue(true), boolean(true)},
		"false":           {attribute.BoolValue(false), boolean(false)},
		"zero":            {attribute.Int64Value(0), integer(0)},
		"negative":        {attribute.Int64Value(-5), integer(-5)},
		"max int":         {attribute.Int64Value(math.MaxInt64), integer(math.MaxInt64)},
		"float":           {attribute.Float64Value(-1.5), double(-1.5)},
		"infinity":        {attribute.Float64Value(math.Inf(1)), double(math.Inf(1))},
		"bytes": {attribute.ByteSliceValue([]byte{0xff, 0}),
			&commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0xff, 0}}}},
		"empty":   {attribute.Value{}, &commonpb.AnyValue{}},
		"strings": {attribute.StringSliceValue([]string{"a", long, "\xff"}), array(text("a"), text(long), text("\uFFFD"))},
		"ints":    {attribute.Int64SliceValue([]int64{1, -1}), array(integer(1), integer(-1))},
		"bools":   {attribute.BoolSliceValue([]bool{true, false}), array(boolean(true), boolean(false))},
		"floats":  {attribute.Float64SliceValue([]float64{0.5}), array(double(0.5))},
		"none":    {attribute.StringSliceValue(nil), array()},
		"mixed":   {attribute.SliceValue(attribute.Int64Value(1), attribute.StringValue("b")), array(integer(1), text("b"))},
		"map": {attribute.MapValue(attribute.String("k", "v"), attribute.Int("n", 2)),
			kvlist(&commonpb.KeyValue{Key: "k", Value: text("v")}, &commonpb.KeyValue{Key: "n", Value: integer(2)})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			enc := appendResource(nil, []attribute.KeyValue{{Key: "key", Value: tt.in}})
			var got tracepb.ResourceSpans
			if err := proto.Unmarshal(enc, &got); err != nil {
				t.Fatal(err)
			}
			want := &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "key", Value: tt.want}}}
			if !proto.Equal(got.Resource, want) {
				t.Errorf("got  %v\nwant %v", got.Resource, want)
			}
		})
	}
}

func TestAppendSpanDoesNotAllocate(t *testing.T) {
	s := exampleSpan(1)
	b := appendSpan(nil, s)
	if n := testing.AllocsPerRun(100, func() { b = appendSpan(b[:0], s) }); n != 0 {
		t.Errorf("%v allocations per span", n)
	}
}

// FuzzHostileText puts bytes from the network where text is expected: OTLP must
// stay decodable, JSON valid, and the terminal safe.
func FuzzHostileText(f *testing.F) {
	f.Add("GET", "/a?b=c")
	f.Add("a\xff\xfe", "\x1b[2J\u202e\u2028\x00\x7f\u009b")
	f.Add(strings.Repeat("€", 100), strings.Repeat("\xe2\x82", 100))
	f.Fuzz(func(t *testing.T, name, value string) {
		s := &Span{
			Name: name, TraceState: value, Status: StatusError, StatusMsg: value, Kind: trace.SpanKindServer,
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1},
			Attrs: []attribute.KeyValue{
				attribute.String("url.path", value), attribute.String(value, name),
				attribute.StringSlice("list", []string{name, value}),
			},
		}
		if got := decodeSpan(t, s); utf8.ValidString(name) && got.Name != name {
			t.Errorf("name %q became %q", name, got.Name)
		}
		line := (&jsonExporter{resources: newResourceCache(func([]attribute.KeyValue) []byte { return []byte("{}") })}).appendSpan(nil, s)
		var doc struct{ Name string }
		if err := json.Unmarshal(line, &doc); err != nil {
			t.Fatalf("invalid json %q: %v", line, err)
		}
		if utf8.ValidString(name) && doc.Name != name {
			t.Errorf("name %q became %q in json", name, doc.Name)
		}
		tree := textTrace{spans: []textSpan{newTextSpan(s)}}
		out := string(tree.append(nil, time.UTC))
		for _, r := range strings.TrimSuffix(out, "\n") {
			if !unicode.IsPrint(r) {
				t.Fatalf("text holds %q: %q", r, out)
			}
		}
	})
}

// TestSharedAttributes encodes spans whose attributes are their own or shared,
// with lengths of the span that take one, two and three bytes.
func TestSharedAttributes(t *testing.T) {
	attrs := []attribute.KeyValue{
		attribute.String("a", "1"), attribute.Int("b", 2), attribute.Bool("c", true), attribute.String("d", strings.Repeat("d", 90)),
		attribute.StringSlice("e", []string{"x", "\xff"}), attribute.String("f", strings.Repeat("f", 20000)), attribute.Float64("g", 1.5),
	}
	var b []byte
	var spans []*Span
	for i := range attrs {
		for k := i; k <= len(attrs); k++ {
			s := &Span{Name: "x", Attrs: attrs[k:]}
			s.Shared[0], s.Shared[1] = NewAttrSet(attrs[:i]), NewAttrSet(attrs[i:k])
			if i == k {
				s.Shared[1] = nil
			}
			spans = append(spans, s, &Span{})
			b = appendSpan(appendSpan(b, s), &Span{})
		}
	}
	var scope tracepb.ScopeSpans
	if err := proto.Unmarshal(b, &scope); err != nil || len(scope.Spans) != len(spans) {
		t.Fatalf("%d spans of %d: %v", len(scope.Spans), len(spans), err)
	}
	var alone tracepb.ScopeSpans
	if err := proto.Unmarshal(appendSpan(nil, &Span{Name: "x", Attrs: attrs}), &alone); err != nil {
		t.Fatal(err)
	}
	for i, got := range scope.Spans {
		want := alone.Spans[0]
		if i%2 == 1 {
			want = &tracepb.Span{TraceId: make([]byte, 16), SpanId: make([]byte, 8), Flags: flagHasIsRemote}
		}
		if !proto.Equal(got, want) {
			t.Errorf("span %d: %v, want %v", i, got, want)
		}
	}
}
