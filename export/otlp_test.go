// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// eachProtocol runs test for gRPC and HTTP.
func eachProtocol(t *testing.T, test func(t *testing.T, protocol string)) {
	t.Helper()
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) { test(t, p) })
	}
}

func TestOTLPDeliversSpansByResource(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol string) {
		s := startSink(t, protocol, "", nil, &sink{})
		exp := newOTLP(t, OTLPConfig{Protocol: protocol, Endpoint: s.url, Version: "1.2.3", Headers: map[string]string{"x-token": "secret"}})
		shop := resource.NewWithAttributes("https://example.com/schema", attribute.String("service.name", "shop"))
		stock := resource.NewSchemaless(attribute.String("service.name", "stock"), attribute.Int("process.pid", 7))
		spans := []*Span{fullSpan(), exampleSpan(2), exampleSpan(3), exampleSpan(4)}
		for i, res := range []*resource.Resource{shop, stock, shop, nil} {
			spans[i].Resource = res
		}
		for range 2 { // the second batch goes through what the first left behind
			if err := exp.Export(context.Background(), spans); err != nil {
				t.Fatal(err)
			}
		}
		reqs := s.requests()
		if len(reqs) != 2 {
			t.Fatalf("%d requests", len(reqs))
		}
		for _, r := range reqs {
			checkGroups(t, r.msg, spans)
			if got := append(r.header["x-token"], r.header["X-Token"]...); len(got) != 1 || got[0] != "secret" {
				t.Errorf("token header %q", got)
			}
			if protocol == ProtocolHTTP && r.path != "/v1/traces" {
				t.Errorf("path %q", r.path)
			}
		}
	})
}

// checkGroups checks the message of TestOTLPDeliversSpansByResource.
func checkGroups(t *testing.T, msg *coltracepb.ExportTraceServiceRequest, spans []*Span) {
	t.Helper()
	want := []struct {
		schema, service string
		attrs           int
		spans           []*Span
	}{
		{"https://example.com/schema", "shop", 1, []*Span{spans[0], spans[2]}},
		{"", "stock", 2, []*Span{spans[1]}},
		{"", "", 0, []*Span{spans[3]}},
	}
	if len(msg.ResourceSpans) != len(want) {
		t.Fatalf("%d groups, want %d", len(msg.ResourceSpans), len(want))
	}
	for i, w := range want {
		rs := msg.ResourceSpans[i]
		if len(rs.Resource.Attributes) != w.attrs || rs.SchemaUrl != w.schema {
			t.Errorf("group %d: resource %v, schema %q", i, rs.Resource, rs.SchemaUrl)
		}
		for _, kv := range rs.Resource.Attributes {
			if kv.Key == "service.name" && kv.Value.GetStringValue() != w.service {
				t.Errorf("group %d: service %q, want %q", i, kv.Value.GetStringValue(), w.service)
			}
		}
		ss := rs.ScopeSpans[0]
		if ss.Scope.Name != "github.com/tracer-agent/tracer-agent" || ss.Scope.Version != "1.2.3" || ss.SchemaUrl != semconv.SchemaURL {
			t.Errorf("group %d: scope %v, schema %q", i, ss.Scope, ss.SchemaUrl)
		}
		if len(ss.Spans) != len(w.spans) {
			t.Fatalf("group %d: %d spans, want %d", i, len(ss.Spans), len(w.spans))
		}
		for j, span := range w.spans {
			if !proto.Equal(ss.Spans[j], decodeSpan(t, span)) {
				t.Errorf("group %d, span %d: %v", i, j, ss.Spans[j])
			}
		}
	}
}

func TestOTLPCompression(t *testing.T) {
	for _, p := range protocols {
		for _, compression := range []string{"gzip", "none"} {
			t.Run(p+" "+compression, func(t *testing.T) {
				// The environment asks for the opposite: the field must win.
				t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", map[string]string{"gzip": "none", "none": "gzip"}[compression])
				var stream string
				s := startSink(t, p, "", nil, &sink{grpcError: func(ctx context.Context) error {
					stream = grpcEncoding(ctx)
					return nil
				}})
				exp := newOTLP(t, OTLPConfig{Protocol: p, Endpoint: s.url, Compression: compression})
				if err := exp.Export(context.Background(), []*Span{exampleSpan(1)}); err != nil {
					t.Fatal(err)
				}
				if p == ProtocolHTTP {
					stream = s.requests()[0].encoding
				}
				if got := stream == "gzip"; got != (compression == "gzip") {
					t.Errorf("encoding %q", stream)
				}
			})
		}
	}
}

func TestOTLPPartialSuccess(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol string) {
		s := startSink(t, protocol, "", nil, &sink{partial: &coltracepb.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too old"}})
		exp := newOTLP(t, OTLPConfig{Protocol: protocol, Endpoint: s.url})
		err := exp.Export(context.Background(), []*Span{exampleSpan(1), exampleSpan(2), exampleSpan(3)})
		var partial *PartialError
		if !errors.As(err, &partial) || partial.Rejected != 2 || partial.Message != "too old" {
			t.Fatalf("error = %v", err)
		}
		s.mu.Lock()
		s.partial = nil
		s.mu.Unlock()
		if err := exp.Export(context.Background(), []*Span{exampleSpan(1)}); err != nil {
			t.Errorf("the partial success outlived its batch: %v", err)
		}
	})
}

func TestOTLPGRPCErrors(t *testing.T) {
	throttled, err := status.New(codes.ResourceExhausted, "slow down").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(7 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		status *status.Status
		retry  bool
		after  time.Duration
	}{
		{status.New(codes.Unavailable, ""), true, 0},
		{status.New(codes.DeadlineExceeded, ""), true, 0},
		{status.New(codes.Canceled, ""), true, 0},
		{status.New(codes.Aborted, ""), true, 0},
		{status.New(codes.OutOfRange, ""), true, 0},
		{status.New(codes.DataLoss, ""), true, 0},
		{throttled, true, 7 * time.Second},
		{status.New(codes.ResourceExhausted, "full"), false, 0},
		{status.New(codes.InvalidArgument, ""), false, 0},
		{status.New(codes.Unauthenticated, ""), false, 0},
		{status.New(codes.PermissionDenied, ""), false, 0},
		{status.New(codes.Unimplemented, ""), false, 0},
		{status.New(codes.Internal, ""), false, 0},
		{status.New(codes.Unknown, ""), false, 0},
	}
	calls := 0
	s := &sink{}
	startSink(t, ProtocolGRPC, "", nil, s)
	exp := newOTLP(t, OTLPConfig{Protocol: ProtocolGRPC, Endpoint: s.url})
	for _, tt := range tests {
		s.grpcError = func(context.Context) error {
			calls++
			return tt.status.Err()
		}
		err := exp.Export(context.Background(), []*Span{exampleSpan(1)})
		checkRetryable(t, tt.status.Code().String(), err, tt.retry, tt.after)
	}
	if calls != len(tests) {
		t.Errorf("%d calls for %d exports: something else retries", calls, len(tests))
	}
}

func TestOTLPHTTPErrors(t *testing.T) {
	tests := []struct {
		code       int
		retryAfter string
		retry      bool
		after      time.Duration
	}{
		{429, "", true, 0}, {429, "3", true, 3 * time.Second}, {502, "", true, 0}, {503, "120", true, 2 * time.Minute},
		{504, "", true, 0}, {503, "soon", true, 0}, {503, "-1", true, 0}, {503, "99999999999999999999", true, 0},
		{400, "3", false, 0}, {401, "", false, 0}, {404, "", false, 0}, {413, "", false, 0}, {500, "", false, 0},
		{302, "", false, 0}, {301, "", false, 0}, {304, "", false, 0},
	}
	calls := 0
	s := &sink{}
	startSink(t, ProtocolHTTP, "", nil, s)
	exp := newOTLP(t, OTLPConfig{Protocol: ProtocolHTTP, Endpoint: s.url})
	for _, tt := range tests {
		s.httpReply = func(w http.ResponseWriter, r *http.Request) bool {
			calls++
			if r.Method != http.MethodPost { // what a redirect must not lead to
				w.WriteHeader(http.StatusOK)
				return true
			}
			w.Header().Set("Retry-After", tt.retryAfter)
			w.Header().Set("Location", "/elsewhere")
			http.Error(w, strings.Repeat("no ", 100), tt.code)
			return true
		}
		err := exp.Export(context.Background(), []*Span{exampleSpan(1)})
		checkRetryable(t, fmt.Sprint(tt.code, " ", tt.retryAfter), err, tt.retry, tt.after)
	}
	if calls != len(tests) {
		t.Errorf("%d calls for %d exports", calls, len(tests))
	}
}

func checkRetryable(t *testing.T, name string, err error, retry bool, after time.Duration) {
	t.Helper()
	var r *RetryableError
	switch {
	case err == nil:
		t.Errorf("%s: no error", name)
	case errors.As(err, &r) != retry:
		t.Errorf("%s: retryable = %t: %v", name, !retry, err)
	case retry && r.After != after:
		t.Errorf("%s: wait %v, want %v", name, r.After, after)
	}
}

func TestRetryAfterDate(t *testing.T) {
	now := epoch.Truncate(time.Second)
	if got := retryAfter(now.Add(90*time.Second).Format(http.TimeFormat), now); got != 90*time.Second {
		t.Errorf("wait %v for a date 90 s ahead", got)
	}
	if got := retryAfter(now.Add(-time.Hour).Format(http.TimeFormat), now); got != 0 {
		t.Errorf("wait %v for a date in the past", got)
	}
}

func TestOTLPHTTPSuccessWithAnUnreadableReply(t *testing.T) {
	replies := map[string]func(w http.ResponseWriter){
		"no content": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
		"text":       func(w http.ResponseWriter) { w.Write([]byte("ok")) },
		"garbage": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Write([]byte("\xff\xff\xff"))
		},
		"huge": func(w http.ResponseWriter) { w.Write(make([]byte, 4*maxResponse)) },
	}
	s := &sink{}
	startSink(t, ProtocolHTTP, "", nil, s)
	exp := newOTLP(t, OTLPConfig{Protocol: ProtocolHTTP, Endpoint: s.url})
	for name, reply := range replies {
		s.httpReply = func(w http.ResponseWriter, _ *http.Request) bool { reply(w); return true }
		if err := exp.Export(context.Background(), []*Span{exampleSpan(1)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOTLPHangingReceiver(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol string) {
		s := &sink{
			grpcError: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			httpReply: func(_ http.ResponseWriter, r *http.Request) bool {
				buf := make([]byte, 1<<20)
				for { // the server notices the client's end only when the body is read
					if _, err := r.Body.Read(buf); err != nil {
						break
					}
				}
				<-r.Context().Done()
				return true
			},
		}
		startSink(t, protocol, "", nil, s)
		exp := newOTLP(t, OTLPConfig{Protocol: protocol, Endpoint: s.url, Timeout: 50 * time.Millisecond})
		start := time.Now()
		err := exp.Export(context.Background(), []*Span{exampleSpan(1)})
		checkRetryable(t, "own timeout", err, true, 0)
		if d := time.Since(start); d < 50*time.Millisecond || d > 5*time.Second {
			t.Errorf("gave up after %v", d)
		}
		exp = newOTLP(t, OTLPConfig{Protocol: protocol, Endpoint: s.url, Timeout: time.Hour})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		checkRetryable(t, "caller's deadline", exp.Export(ctx, []*Span{exampleSpan(1)}), true, 0)
	})
}

func TestOTLPThroughQueueSurvivesAnOutage(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol string) {
		addr := freeAddress(t)
		exp, err := NewOTLP(context.Background(), OTLPConfig{Protocol: protocol, Endpoint: "http://" + addr}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		q := NewQueue(exp, QueueConfig{BatchSpans: 10, BatchDelay: time.Millisecond, RetryInitial: time.Millisecond, RetryMax: 20 * time.Millisecond}, quiet())
		for i := range uint64(25) {
			q.Offer(exampleSpan(i))
		}
		waitUntil(t, func() bool { return q.Stats().Retries >= 3 })
		if st := checkBalance(t, q); st.Len != 25 || st.Exported != 0 {
			t.Errorf("during the outage: %+v", st)
		}
		s := startSink(t, protocol, addr, nil, &sink{})
		waitUntil(t, func() bool { return q.Stats().Exported == 25 })
		st := closeQueue(t, q)
		if st.DroppedTotal() != 0 || st.Batches < 3 || st.Bytes == 0 {
			t.Errorf("stats %+v", st)
		}
		checkEachOnce(t, s, 25)
	})
}

// checkEachOnce checks that example spans 0 to n-1 arrived exactly once.
func checkEachOnce(t *testing.T, s *sink, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, r := range s.requests() {
		for _, span := range r.msg.ResourceSpans[0].ScopeSpans[0].Spans {
			seen[string(span.SpanId)]++
		}
	}
	if len(seen) != n {
		t.Errorf("%d different spans arrived, want %d", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("span %x arrived %d times", id, times)
		}
	}
}

// freeAddress returns a loopback address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("condition not reached within 20 s")
		}
		<-tick.C
	}
}

func TestOTLPNamesItself(t *testing.T) {
	exp := newOTLP(t, OTLPConfig{Protocol: ProtocolHTTP, Endpoint: "http://user:pw@collector:4318"})
	if got := fmt.Sprint(exp); got != "otlp http/protobuf http://user:xxxxx@collector:4318" {
		t.Errorf("name %q", got)
	}
}

func TestOTLPBatchReuse(t *testing.T) {
	o := newOTLPBatch("1")
	var many []*Span
	for i := range uint64(3 * maxCachedResources) {
		s := exampleSpan(i)
		s.Resource = resource.NewSchemaless(attribute.Int64("process.pid", int64(i)))
		many = append(many, s)
	}
	msgs, _ := o.encode(many)
	if len(msgs) != len(many) || len(o.resources.encoded) > maxCachedResources {
		t.Errorf("%d groups, %d cached resources", len(msgs), len(o.resources.encoded))
	}
	few := many[:10]
	for _, s := range few {
		s.Resource = few[0].Resource
	}
	msgs, size := o.encode(few)
	if len(msgs) != 1 || len(o.groups) > maxKeptGroups || size < 10*400 {
		t.Errorf("%d groups, %d kept, %d bytes", len(msgs), len(o.groups), size)
	}
	if n := testing.AllocsPerRun(100, func() { o.encode(few) }); n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
}
