// SPDX-License-Identifier: Apache-2.0

package otlptest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSink(t *testing.T) *Sink {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// clients returns one OTLP client per protocol and compression, by name.
func clients(s *Sink) map[string]otlptrace.Client {
	g, h := s.Endpoint(GRPC), s.Endpoint(HTTP)
	return map[string]otlptrace.Client{
		"grpc":      otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL(g), otlptracegrpc.WithHeaders(map[string]string{"x-case": "grpc"})),
		"grpc+gzip": otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL(g), otlptracegrpc.WithCompressor("gzip"), otlptracegrpc.WithHeaders(map[string]string{"x-case": "grpc+gzip"})),
		"http":      otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(h), otlptracehttp.WithURLPath("/v1/traces"), otlptracehttp.WithHeaders(map[string]string{"x-case": "http"})),
		"http+gzip": otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(h), otlptracehttp.WithURLPath("/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithHeaders(map[string]string{"x-case": "http+gzip"})),
	}
}

// emit sends one span with client and waits for its export to finish.
func emit(t *testing.T, client otlptrace.Client) trace.SpanContext {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	exp, err := otlptrace.New(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exp),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "shop"))))
	_, span := tp.Tracer("scope").Start(ctx, "GET", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("s", "x"), attribute.Int("i", 7), attribute.Bool("b", true),
		attribute.Float64("f", 0.5), attribute.StringSlice("l", []string{"p", "q"})))
	span.End()
	if err := tp.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	return span.SpanContext()
}

func TestSinkDecodesEveryProtocol(t *testing.T) {
	s := newSink(t)
	for name, client := range clients(s) {
		t.Run(name, func(t *testing.T) {
			s.Reset()
			sc := emit(t, client)
			spans, err := s.WaitFor(1, time.Now().Add(5*time.Second))
			if err != nil || len(spans) != 1 {
				t.Fatalf("got %d spans, error %v; want 1", len(spans), err)
			}
			checkSpan(t, &spans[0], sc)
			reqs := s.Requests()
			if len(reqs) != 1 || reqs[0].Spans != 1 || reqs[0].Refused || reqs[0].Header["x-case"][0] != name {
				t.Errorf("request log = %+v", reqs)
			}
		})
	}
}

func checkSpan(t *testing.T, got *Span, sc trace.SpanContext) {
	t.Helper()
	if got.TraceID != sc.TraceID().String() || got.SpanID != sc.SpanID().String() || got.Parent != "" {
		t.Errorf("ids = %s %s %q, want %s %s and a root", got.TraceID, got.SpanID, got.Parent, sc.TraceID(), sc.SpanID())
	}
	if got.Name != "GET" || got.Kind != Server || got.Scope != "scope" || got.Resource["service.name"] != "shop" {
		t.Errorf("got %s, scope %q, resource %v", got, got.Scope, got.Resource)
	}
	if i, ok := got.Int("i"); got.Str("s") != "x" || !ok || i != 7 || got.Attrs["b"] != true || got.Attrs["f"] != 0.5 {
		t.Errorf("attributes = %v", got.Attrs)
	}
	if l, _ := got.Attrs["l"].([]any); len(l) != 2 || l[0] != "p" || l[1] != "q" {
		t.Errorf("list attribute = %v", got.Attrs["l"])
	}
	if got.End.Before(got.Start) || time.Since(got.Start) > time.Minute {
		t.Errorf("times = %s .. %s", got.Start, got.End)
	}
	if got.Has("absent") || !got.Has("s") {
		t.Error("Has is wrong")
	}
}

func TestSinkRefusesThenAccepts(t *testing.T) {
	for _, name := range []string{"grpc", "http"} {
		t.Run(name, func(t *testing.T) {
			s := newSink(t)
			s.Fail(1)
			var client otlptrace.Client
			if name == "grpc" {
				client = otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL(s.Endpoint(GRPC)),
					otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: time.Millisecond, MaxInterval: time.Millisecond, MaxElapsedTime: time.Second}))
			} else {
				client = otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(s.Endpoint(HTTP)), otlptracehttp.WithURLPath("/v1/traces"),
					otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Millisecond, MaxInterval: time.Millisecond, MaxElapsedTime: time.Second}))
			}
			emit(t, client)
			if _, err := s.WaitFor(1, time.Now().Add(5*time.Second)); err != nil {
				t.Fatal(err)
			}
			reqs := s.Requests()
			if len(reqs) != 2 || !reqs[0].Refused || reqs[1].Refused || len(s.Spans()) != 1 {
				t.Errorf("requests %+v, %d spans; want one refused, one taken", reqs, len(s.Spans()))
			}
		})
	}
}

func TestWaitForReportsDeadline(t *testing.T) {
	s := newSink(t)
	spans, err := s.WaitFor(1, time.Now().Add(10*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) || len(spans) != 0 {
		t.Fatalf("got %d spans, error %v; want none and a deadline error", len(spans), err)
	}
}

func TestSinkRejectsBadHTTP(t *testing.T) {
	s := newSink(t)
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	cases := []struct {
		name, contentType, encoding, body string
		want                              int
	}{
		{"json", "application/json", "", "{}", http.StatusUnsupportedMediaType},
		{"garbage", "application/x-protobuf", "", "\xff\xff\xff", http.StatusBadRequest},
		{"not gzip", "application/x-protobuf", "gzip", "plain", http.StatusBadRequest},
		{"unknown coding", "application/x-protobuf", "br", "plain", http.StatusBadRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoint(HTTP)+"/v1/traces", bytes.NewReader([]byte(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", c.contentType)
			if c.encoding != "" {
				req.Header.Set("Content-Encoding", c.encoding)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.want || len(s.Spans()) != 0 {
				t.Errorf("status %d with %d spans, want %d and none", resp.StatusCode, len(s.Spans()), c.want)
			}
		})
	}
}
