// SPDX-License-Identifier: Apache-2.0

// Package otlptest is an OpenTelemetry collector for tests: a Sink listens on
// loopback for OTLP traces over gRPC and over HTTP/protobuf (plain or gzip),
// decodes what arrives and lets a test wait for it.
package otlptest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // lets the gRPC server accept gzip

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

// Protocol names, as OTEL_EXPORTER_OTLP_PROTOCOL spells them.
const (
	GRPC = "grpc"
	HTTP = "http/protobuf"
)

// maxMessage bounds one decoded export request, in bytes.
const maxMessage = 64 << 20

// Request describes one export request that reached the Sink, accepted or refused.
type Request struct {
	Protocol string              // GRPC or HTTP
	Header   map[string][]string // HTTP header or gRPC metadata; keys in lower case
	Spans    int                 // number of spans it carried
	Refused  bool                // a failure was injected by Sink.Fail
	Received time.Time
}

// Sink collects spans. All methods may be called from any goroutine.
type Sink struct {
	grpcAddr, httpAddr string
	scheme             string // of its endpoints
	grpcServer         *grpc.Server
	httpServer         *http.Server
	serving            sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change of spans
	spans    []Span
	requests []Request
	failures int
}

// New starts a Sink on two free ports of 127.0.0.1. The caller must Close it.
func New() (*Sink, error) { return start(nil) }

// NewTLS is New with TLS in front of both protocols: the Sink shows id's
// certificate and accepts only clients that show it, too.
func NewTLS(id *Identity) (*Sink, error) { return start(id.mutual()) }

// start listens for both protocols; cfg is nil for clear text.
func start(cfg *tls.Config) (*Sink, error) {
	grpcListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for OTLP gRPC: %w", err)
	}
	httpListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for OTLP HTTP: %w", err), grpcListener.Close())
	}
	s := &Sink{
		grpcAddr: grpcListener.Addr().String(),
		httpAddr: httpListener.Addr().String(),
		scheme:   "http://",
		changed:  make(chan struct{}),
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(maxMessage)}
	if cfg != nil {
		s.scheme = "https://"
		options = append(options, grpc.Creds(credentials.NewTLS(cfg)))
		httpListener = tls.NewListener(httpListener, cfg)
	}
	s.grpcServer = grpc.NewServer(options...)
	collectorpb.RegisterTraceServiceServer(s.grpcServer, grpcService{sink: s})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", s.serveHTTP)
	s.httpServer = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}

	// Serve returns only when Close stops it; its error is then of no interest.
	s.serving.Go(func() { _ = s.grpcServer.Serve(grpcListener) })
	s.serving.Go(func() { _ = s.httpServer.Serve(httpListener) })
	return s, nil
}

// Close stops both servers, closes their connections and waits for their goroutines.
func (s *Sink) Close() {
	s.grpcServer.Stop()
	_ = s.httpServer.Close()
	s.serving.Wait()
}

// Endpoint returns the URL to use as OTEL_EXPORTER_OTLP_ENDPOINT with protocol
// (GRPC or HTTP).
func (s *Sink) Endpoint(protocol string) string {
	if protocol == GRPC {
		return s.scheme + s.grpcAddr
	}
	return s.scheme + s.httpAddr
}

// Fail makes the Sink refuse the next n export requests with a retryable error
// (gRPC Unavailable, HTTP 503). Their spans are not collected.
func (s *Sink) Fail(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = n
}

// Reset forgets everything collected so far.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans, s.requests = nil, nil
}

// Spans returns a copy of the spans collected so far, in order of arrival.
func (s *Sink) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Span(nil), s.spans...)
}

// Requests returns a copy of the log of export requests.
func (s *Sink) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// WaitFor blocks until at least n spans were collected or until deadline, and
// returns all spans. It reports an error iff there are fewer than n.
func (s *Sink) WaitFor(n int, deadline time.Time) ([]Span, error) {
	return s.WaitUntil(func(spans []Span) bool { return len(spans) >= n }, deadline)
}

// WaitUntil blocks until done, called with the spans collected so far, returns
// true, or until deadline. It returns all spans, with an error iff done never
// held. done must not keep or change the slice, nor call the Sink.
func (s *Sink) WaitUntil(done func([]Span) bool, deadline time.Time) ([]Span, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		s.mu.Lock()
		ok, changed := done(s.spans), s.changed
		s.mu.Unlock()
		if ok {
			return s.Spans(), nil
		}
		select {
		case <-changed:
		case <-timer.C:
			spans := s.Spans()
			return spans, fmt.Errorf("wait for spans: deadline passed with %d spans: %w", len(spans), context.DeadlineExceeded)
		}
	}
}

// accept records one export request and says whether its spans were taken.
func (s *Sink) accept(protocol string, header map[string][]string, msg *collectorpb.ExportTraceServiceRequest) bool {
	now := time.Now()
	spans := decode(msg, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := s.failures > 0
	s.requests = append(s.requests, Request{
		Protocol: protocol, Header: header, Spans: len(spans), Refused: refused, Received: now,
	})
	if refused {
		s.failures--
		return false
	}
	s.spans = append(s.spans, spans...)
	close(s.changed)
	s.changed = make(chan struct{})
	return true
}
