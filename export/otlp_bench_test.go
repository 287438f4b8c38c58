// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

const benchBatch = 512

// BenchmarkExport measures one span from batch to acknowledgement against a
// receiver of the same process that only reads bytes. cpu-ns/span is the
// process's CPU time, the receiver and the kernel's loopback included.
func BenchmarkExport(b *testing.B) {
	for _, p := range protocols {
		b.Run(p, func(b *testing.B) {
			exp := newOTLP(b, OTLPConfig{Protocol: p, Endpoint: discardSink(b, p)})
			spans := benchSpans()
			b.ReportAllocs()
			start := cpuTime(b)
			for b.Loop() {
				if err := exp.Export(context.Background(), spans); err != nil {
					b.Fatal(err)
				}
			}
			perSpan(b, start, benchBatch)
		})
	}
}

// BenchmarkEncode is the part of BenchmarkExport that is not transport.
func BenchmarkEncode(b *testing.B) {
	o := newOTLPBatch("1")
	spans := benchSpans()
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		o.encode(spans)
	}
	perSpan(b, start, benchBatch)
}

// BenchmarkQueue measures a span's way through the queue: taken from the pool,
// offered, batched, recycled.
func BenchmarkQueue(b *testing.B) {
	q := NewQueue(&fakeDiscard{}, QueueConfig{}, quiet())
	defer q.Close(context.Background())
	example := benchSpans()[0]
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		s := GetSpan()
		s.Attrs, s.Shared = append(s.Attrs, example.Attrs...), example.Shared
		q.Offer(s)
	}
	perSpan(b, start, 1)
}

type fakeDiscard struct{}

func (fakeDiscard) Export(context.Context, []*Span) error { return nil }
func (fakeDiscard) Shutdown(context.Context) error        { return nil }

// benchSpans are like those of a server's requests.
func benchSpans() []*Span {
	res := resource.NewSchemaless(attribute.String("service.name", "shop"), attribute.Int("process.pid", 42))
	shared := [...]*AttrSet{
		NewAttrSet([]attribute.KeyValue{
			attribute.String("http.request.method", "GET"), attribute.String("url.scheme", "http"),
			attribute.String("server.address", "127.0.0.1"), attribute.Int("server.port", 8080),
			attribute.String("network.protocol.version", "1.1"), attribute.String("user_agent.original", "bench"),
		}),
		NewAttrSet([]attribute.KeyValue{
			attribute.String("network.peer.address", "127.0.0.1"), attribute.Int("network.peer.port", 40000),
			attribute.String("client.address", "127.0.0.1"),
		}),
	}
	spans := make([]*Span, benchBatch)
	for i := range spans {
		spans[i] = &Span{
			TraceID: trace.TraceID{15: byte(i), 0: 1}, SpanID: trace.SpanID{7: byte(i), 0: 1}, Flags: trace.FlagsSampled,
			Name: "GET", Kind: trace.SpanKindServer, Start: 1e18, End: 1e18 + 1e6, Resource: res, Shared: shared,
			Attrs: []attribute.KeyValue{
				attribute.String("url.path", "/hello"), attribute.Int("http.response.status_code", 200),
				attribute.Int("http.response.body.size", 200),
			},
		}
	}
	return spans
}

// perSpan reports the time since start for each of the spans of an iteration.
func perSpan(b *testing.B, start time.Duration, spans int) {
	n := float64(b.N * spans)
	b.ReportMetric(float64(cpuTime(b)-start)/n, "cpu-ns/span")
	b.ReportMetric(float64(b.Elapsed())/n, "ns/span")
}

// cpuTime returns the CPU time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// discardSink accepts everything without looking at it.
func discardSink(b *testing.B, protocol string) string {
	if protocol == ProtocolHTTP {
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
		b.Cleanup(srv.Close)
		return srv.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := grpc.NewServer(grpc.ForceServerCodecV2(blindCodec{encoding.GetCodecV2("proto")}))
	coltracepb.RegisterTraceServiceServer(srv, sinkService{sink: &sink{grpcError: nil}})
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(l); err != nil {
			b.Errorf("serve grpc: %v", err)
		}
	}()
	b.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return "http://" + l.Addr().String()
}

// blindCodec leaves received messages empty.
type blindCodec struct{ encoding.CodecV2 }

func (blindCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
