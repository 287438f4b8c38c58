// SPDX-License-Identifier: Apache-2.0

// Command sdkservice is a service that traces itself with the OpenTelemetry SDK:
//
//	sdkservice LISTEN LEAF...
//
// answers /do/seq/CALLS/WAIT/LEAFTIME as the other services under test do, and
// exports its spans by OTLP as the standard variables say. Each span carries
// the truth id of its request in the attribute that the agent would use.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// truth is the header that names a request, recorded its attribute.
const (
	truth    = "X-Truth-Id"
	recorded = "http.request.header.x-truth-id"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(listen string, leaves []string) error {
	exporter, err := newExporter(context.Background())
	if err != nil {
		return fmt.Errorf("make an OTLP exporter: %w", err)
	}
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(200*time.Millisecond))))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	s := &service{leaves: leaves, client: &http.Client{Transport: otelhttp.NewTransport(marked{&http.Transport{MaxIdleConnsPerHost: 16}})}}
	return http.ListenAndServe(listen, otelhttp.NewHandler(s, "do"))
}

func newExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

// marked gives the client's span its truth id.
type marked struct{ http.RoundTripper }

func (m marked) RoundTrip(r *http.Request) (*http.Response, error) {
	mark(r.Context(), r.Header.Get(truth))
	return m.RoundTripper.RoundTrip(r)
}

func mark(ctx context.Context, id string) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.StringSlice(recorded, []string{id}))
}

type service struct {
	leaves []string
	client *http.Client
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(truth)
	mark(r.Context(), id)
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) != 6 {
		http.NotFound(w, r)
		return
	}
	calls, err := strconv.Atoi(parts[3])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	said := make([]string, calls)
	for n := range said {
		url := fmt.Sprintf("http://%s/leaf/%s", s.leaves[n%len(s.leaves)], parts[5])
		if said[n], err = s.call(r.Context(), url, fmt.Sprintf("%s.%d", id, n)); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
	}
	fmt.Fprint(w, strings.Join(said, ","))
}

func (s *service) call(ctx context.Context, url, id string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set(truth, id)
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
