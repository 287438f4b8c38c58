// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"crypto/tls"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// grpcTransport is OTLP/gRPC through the otlptracegrpc client.
type grpcTransport struct {
	otlptrace.Client
	partial *coltracepb.ExportTracePartialSuccess // of the call that judge is about to see
}

func newGRPCTransport(t *otlpTarget, tlsCfg *tls.Config) *grpcTransport {
	g := &grpcTransport{}
	creds := insecure.NewCredentials()
	if tlsCfg != nil {
		creds = credentials.NewTLS(tlsCfg)
	}
	opts := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpoint(t.target),
		otlptracegrpc.WithTLSCredentials(creds),
		otlptracegrpc.WithHeaders(t.Headers),
		otlptracegrpc.WithTimeout(t.Timeout),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: false}), // the queue retries
		otlptracegrpc.WithDialOption(g.dialOptions(t)...),
	}
	if t.Compression == "gzip" {
		opts = append(opts, otlptracegrpc.WithCompressor("gzip"))
	}
	g.Client = otlptracegrpc.NewClient(opts...)
	return g
}

func (g *grpcTransport) dialOptions(t *otlpTarget) []grpc.DialOption {
	opts := []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(g.observe),
		// By default a channel waits up to two minutes between attempts to
		// connect and fails every call meanwhile, whatever the queue does.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           grpcbackoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		// Keepalive also sets TCP_USER_TIMEOUT, without which a connection to
		// a vanished host is kept for a quarter of an hour. Servers refuse
		// pings more often than every five minutes by default.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}),
	}
	if t.Compression != "gzip" { // the client may have found gzip in its environment
		opts = append(opts, grpc.WithDefaultCallOptions(grpc.UseCompressor(encoding.Identity)))
	}
	return opts
}

// observe keeps the receiver's partial success: the client turns it into an
// error whose count cannot be read.
func (g *grpcTransport) observe(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	if resp, ok := reply.(*coltracepb.ExportTraceServiceResponse); ok && err == nil {
		g.partial = resp.GetPartialSuccess()
	}
	return err
}

// judge classifies what UploadTraces returned, by the codes that the OTLP
// specification (OTLP/gRPC Response) calls retryable.
func (g *grpcTransport) judge(err error) error {
	partial := g.partial
	g.partial = nil
	if err == nil || partial != nil {
		return partialError(partial)
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		after, _ := retryInfo(s)
		return &RetryableError{Err: err, After: after}
	case codes.ResourceExhausted:
		if after, ok := retryInfo(s); ok {
			return &RetryableError{Err: err, After: after}
		}
	}
	return err
}

// retryInfo returns the delay that the server asks for.
func retryInfo(s *status.Status) (time.Duration, bool) {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

func (g *grpcTransport) close() {}
