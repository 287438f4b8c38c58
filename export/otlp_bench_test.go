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
	template := exampleSpan(1).Attrs
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		s := GetSpan()
		s.Attrs = append(s.Attrs, template...)
		q.Offer(s)
	}
	perSpan(b, start, 1)
}

type fakeDiscard struct{}

func (fakeDiscard) Export(context.Context, []*Span) error { return nil }
func (fakeDiscard) Shutdown(context.Context) error        { return nil }

func benchSpans() []*Span {
	res := resource.NewSchemaless(attribute.String("service.name", "shop"), attribute.Int("process.pid", 42))
	spans := make([]*Span, benchBatch)
	for i := range spans {
		spans[i] = exampleSpan(uint64(i))
		spans[i].Resource = res
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
