// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/tracer-agent/tracer-agent/test/rig"
)

func TestBooks(t *testing.T) {
	b := readBooks(rig.ParseMetrics(`tracer_agent_requests_dropped_total{reason="data_ring_full"} 7
tracer_agent_requests_dropped_total{reason="response_lost"} 0
tracer_agent_spans_dropped_total{reason="queue_full"} 30
tracer_agent_spans_exported_total 100
tracer_agent_queue_spans 2
tracer_agent_exchanges_open 1
`))
	if b.exported != 100 || b.queued != 2 || b.open != 1 || b.dropped() != 37 {
		t.Errorf("books: %+v", b)
	}
	if got, want := b.list(), "30 `queue_full`, 7 `data_ring_full`"; got != want {
		t.Errorf("list %q, want %q", got, want)
	}
}

func TestFaultsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range faults() {
		if seen[f.name] || f.play == nil {
			t.Errorf("fault %q is there twice, or does nothing", f.name)
		}
		seen[f.name] = true
	}
}

// batch is an export request of n SERVER spans.
func batch(n int) *collectorpb.ExportTraceServiceRequest {
	scope := &tracepb.ScopeSpans{}
	for i := range n {
		scope.Spans = append(scope.Spans, &tracepb.Span{SpanId: []byte{1, 2, 3, 4, 5, 6, 7, byte(i)}, Kind: tracepb.Span_SPAN_KIND_SERVER})
	}
	return &collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{scope}}}}
}

func startCollector(t *testing.T, protocol string) *collector {
	t.Helper()
	c, err := newCollector(protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.shut)
	return c
}

// post sends one export request over HTTP.
func post(t *testing.T, c *collector, n int) (*http.Response, error) {
	t.Helper()
	body, err := proto.Marshal(batch(n))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(c.url()+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

func TestCollectorMisbehaves(t *testing.T) {
	c := startCollector(t, protocolHTTP)
	if resp, err := post(t, c, 5); err != nil || resp.StatusCode != http.StatusOK || c.spans() != 5 {
		t.Fatalf("%v, %d spans; want 5", err, c.spans())
	}
	c.behave(throttle)
	if resp, err := post(t, c, 9); err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "3" {
		t.Errorf("throttle: %v, %v", resp, err)
	}
	c.behave(hang)
	if _, err := post(t, c, 9); err == nil || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("hang: %v, want a timeout", err)
	}
	c.behave(reset)
	if _, err := post(t, c, 9); err == nil {
		t.Error("reset: an answer came")
	}
	c.shut()
	if _, err := post(t, c, 9); err == nil {
		t.Error("shut: an answer came")
	}
	if err := c.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := post(t, c, 6); err != nil || c.spans() != 6 || c.repeated != 5 {
		t.Errorf("open again: %v, %d spans, %d repeated; want 6 and 5", err, c.spans(), c.repeated)
	}
}

func TestCollectorTakesAPart(t *testing.T) {
	c := startCollector(t, protocolGRPC)
	c.behave(partial)
	conn, err := grpc.NewClient(strings.TrimPrefix(c.url(), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, tt := range []struct{ sent, refused int64 }{{10, 3}, {2, 2}} {
		resp, err := collectorpb.NewTraceServiceClient(conn).Export(ctx, batch(int(tt.sent)))
		if err != nil || resp.GetPartialSuccess().GetRejectedSpans() != tt.refused {
			t.Errorf("of %d spans: %v, %v; want %d refused", tt.sent, resp, err, tt.refused)
		}
	}
	if c.spans() != 7 {
		t.Errorf("%d spans, want 7", c.spans())
	}
}

func TestVerdict(t *testing.T) {
	o := outcome{notes: []string{"3 retries"}}
	if got := o.verdict(); got != "as it should be; 3 retries" {
		t.Errorf("%q", got)
	}
	o.problems = []string{"lost"}
	if got := o.verdict(); got != "**lost**" {
		t.Errorf("%q", got)
	}
}
