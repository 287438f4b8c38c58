// SPDX-License-Identifier: Apache-2.0

package export

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	_ "google.golang.org/grpc/encoding/gzip" // lets the gRPC server accept gzip
)

// protocols are the two ways to a sink.
var protocols = []string{ProtocolGRPC, ProtocolHTTP}

// received is one export request that a sink got.
type received struct {
	msg      *coltracepb.ExportTraceServiceRequest
	header   map[string][]string // lower-case keys for gRPC, canonical for HTTP
	path     string              // HTTP only
	encoding string              // HTTP only
}

// sink is an OTLP receiver on loopback. Its answers are set by the fields
// below; without them it accepts.
type sink struct {
	url string

	partial   *coltracepb.ExportTracePartialSuccess
	grpcError func(context.Context) error
	httpReply func(w http.ResponseWriter, r *http.Request) (done bool)

	mu   sync.Mutex
	reqs []received
}

func (s *sink) requests() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.reqs...)
}

func (s *sink) keep(r received) *coltracepb.ExportTraceServiceResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reqs = append(s.reqs, r)
	return &coltracepb.ExportTraceServiceResponse{PartialSuccess: s.partial}
}

// startSink serves protocol on addr ("" for a free port) until the test ends;
// with TLS if tlsCfg is not nil.
func startSink(t testing.TB, protocol, addr string, tlsCfg *tls.Config, s *sink) *sink {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http://"
	if tlsCfg != nil {
		scheme = "https://"
	}
	s.url = scheme + l.Addr().String()
	if protocol == ProtocolGRPC {
		serveGRPC(t, l, tlsCfg, s)
	} else {
		serveHTTP(t, l, tlsCfg, s)
	}
	return s
}

func serveGRPC(t testing.TB, l net.Listener, tlsCfg *tls.Config, s *sink) {
	var opts []grpc.ServerOption
	if tlsCfg != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(tlsCfg)))
	}
	srv := grpc.NewServer(opts...)
	coltracepb.RegisterTraceServiceServer(srv, sinkService{sink: s})
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(l); err != nil {
			t.Errorf("serve grpc: %v", err)
		}
	}()
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
}

type sinkService struct {
	coltracepb.UnimplementedTraceServiceServer
	sink *sink
}

func (g sinkService) Export(ctx context.Context, msg *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	if g.sink.grpcError != nil {
		if err := g.sink.grpcError(ctx); err != nil {
			return nil, err
		}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return g.sink.keep(received{msg: msg, header: md}), nil
}

func serveHTTP(t testing.TB, l net.Listener, tlsCfg *tls.Config, s *sink) {
	srv := httptest.NewUnstartedServer(s)
	srv.Listener.Close()
	srv.Listener = l
	if tlsCfg != nil {
		srv.TLS = tlsCfg
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.httpReply != nil && s.httpReply(w, r) {
		return
	}
	var src io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		src = z
	}
	body, err := io.ReadAll(src)
	msg := &coltracepb.ExportTraceServiceRequest{}
	if err == nil {
		err = proto.Unmarshal(body, msg)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply, err := proto.Marshal(s.keep(received{
		msg: msg, header: r.Header, path: r.URL.Path, encoding: r.Header.Get("Content-Encoding"),
	}))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(reply)
}

// newOTLP makes an exporter that the test shuts down.
func newOTLP(t testing.TB, cfg OTLPConfig) Exporter {
	t.Helper()
	exp, err := NewOTLP(context.Background(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := exp.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return exp
}

// grpcEncoding returns how the message of an incoming call was compressed.
func grpcEncoding(ctx context.Context) string {
	if s, ok := grpc.ServerTransportStreamFromContext(ctx).(interface{ RecvCompress() string }); ok {
		return s.RecvCompress()
	}
	return "unknown"
}
