// SPDX-License-Identifier: Apache-2.0

package otlptest

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

// grpcService is the gRPC face of a Sink; embedding keeps it valid when the
// protocol gains methods.
type grpcService struct {
	collectorpb.UnimplementedTraceServiceServer
	sink *Sink
}

func (g grpcService) Export(ctx context.Context, msg *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	header, _ := metadata.FromIncomingContext(ctx)
	if !g.sink.accept(GRPC, header, msg) {
		return nil, status.Error(codes.Unavailable, "refused by the test")
	}
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// serveHTTP implements OTLP/HTTP with binary protobuf (OTLP specification,
// section OTLP/HTTP). JSON is answered with 415.
func (s *Sink) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if ct := r.Header.Get("Content-Type"); ct != "application/x-protobuf" {
		http.Error(w, "unsupported content type "+ct, http.StatusUnsupportedMediaType)
		return
	}
	body, err := readBody(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var msg collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &msg); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !s.accept(HTTP, lowerKeys(r.Header), &msg) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	// An empty ExportTraceServiceResponse encodes to no bytes.
	w.WriteHeader(http.StatusOK)
}

func readBody(r *http.Request) ([]byte, error) {
	var src io.Reader = r.Body
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("open gzip body: %w", err)
		}
		defer z.Close()
		src = z
	default:
		return nil, fmt.Errorf("unsupported content encoding %q", enc)
	}
	body, err := io.ReadAll(io.LimitReader(src, maxMessage+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if len(body) > maxMessage {
		return nil, fmt.Errorf("body exceeds %d bytes", maxMessage)
	}
	return body, nil
}

func lowerKeys(h http.Header) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		out[strings.ToLower(name)] = values
	}
	return out
}
