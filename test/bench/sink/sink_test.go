// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func span(id byte, kind tracepb.Span_SpanKind, path string) *tracepb.Span {
	return &tracepb.Span{
		TraceId: bytes.Repeat([]byte{9}, 16), SpanId: bytes.Repeat([]byte{id}, 8), Kind: kind,
		Name: "GET", StartTimeUnixNano: 1, EndTimeUnixNano: 2,
		Attributes: []*commonpb.KeyValue{{Key: "url.path", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: path}}}},
	}
}

func request(t *testing.T, spans ...*tracepb.Span) []byte {
	t.Helper()
	body, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func post(t *testing.T, s *Sink, body []byte, encoding string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.URL()+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", encoding)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func newSink(t *testing.T) *Sink {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestSinkCounts(t *testing.T) {
	s := newSink(t)
	s.Track()
	body := request(t, span(1, tracepb.Span_SPAN_KIND_SERVER, "/a"), span(2, tracepb.Span_SPAN_KIND_CLIENT, "/b"), span(1, tracepb.Span_SPAN_KIND_SERVER, "/a"))
	if status := post(t, s, body, ""); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	got := s.Counts()
	if got.Server != 2 || got.Other != 1 || got.Repeat != 1 || got.Posts != 1 || got.Bytes != int64(len(body)) || got.First.IsZero() {
		t.Errorf("counts %+v", got)
	}
	if _, ok := s.Arrival("/a"); !ok {
		t.Error("the SERVER span was not tracked")
	}
	if _, ok := s.Arrival("/b"); ok {
		t.Error("the CLIENT span was tracked")
	}
	s.Reset()
	if got := s.Counts(); got != (Counts{}) {
		t.Errorf("counts after Reset: %+v", got)
	}
}

func TestSinkReadsGzip(t *testing.T) {
	s := newSink(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(request(t, span(1, tracepb.Span_SPAN_KIND_SERVER, "/a"))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	size := int64(packed.Len())
	if status := post(t, s, packed.Bytes(), "gzip"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if got := s.Counts(); got.Server != 1 || got.Bytes != size {
		t.Errorf("counts %+v, want 1 span in %d bytes", got, size)
	}
}

func TestSinkRefusesGarbage(t *testing.T) {
	s := newSink(t)
	if status := post(t, s, []byte{0xff, 0xff, 0xff}, ""); status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", status)
	}
	if got := s.Counts(); got.Broken != 1 || got.Spans() != 0 {
		t.Errorf("counts %+v", got)
	}
}
