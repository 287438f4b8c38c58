// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

// otlpTransport is an OTLP client whose errors can be understood.
type otlpTransport interface {
	otlptrace.Client
	// judge turns what UploadTraces returned into an error as Exporter.Export
	// documents it.
	judge(err error) error
	close()
}

// otlpExporter sends spans with one of the OpenTelemetry OTLP clients.
type otlpExporter struct {
	transport otlpTransport
	batch     *otlpBatch
	bytes     atomic.Uint64
	name      string
}

// NewOTLP returns an exporter to an OpenTelemetry receiver, which is first
// contacted by Export. It reports every problem of cfg and of the standard
// variables at once. The exporter makes one attempt per Export and leaves
// retries to the [Queue]. It is a [fmt.Stringer] that names protocol and
// endpoint.
func NewOTLP(ctx context.Context, cfg OTLPConfig, log *slog.Logger) (Exporter, error) {
	target, err := cfg.resolve(otlpEnv{os.Getenv})
	if err != nil {
		return nil, err
	}
	tlsCfg, err := target.tlsConfig()
	if err != nil {
		return nil, err
	}
	e := &otlpExporter{
		batch: newOTLPBatch(cfg.Version),
		name:  "otlp " + target.Protocol + " " + redacted(target.Endpoint),
	}
	if target.Protocol == ProtocolGRPC {
		e.transport = newGRPCTransport(target, tlsCfg)
	} else {
		e.transport = newHTTPTransport(target, tlsCfg)
	}
	if err := e.transport.Start(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", e, err)
	}
	log.Debug("exporter ready", "exporter", e.name, "tls", target.secure, "compression", target.Compression)
	return e, nil
}

// Export implements Exporter.
func (e *otlpExporter) Export(ctx context.Context, spans []*Span) error {
	msgs, size := e.batch.encode(spans)
	e.bytes.Add(uint64(size))
	return e.transport.judge(e.transport.UploadTraces(ctx, msgs))
}

// Shutdown implements Exporter.
func (e *otlpExporter) Shutdown(ctx context.Context) error {
	defer e.transport.close()
	if err := e.transport.Stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", e, err)
	}
	return nil
}

// BytesSent counts the encoded bytes handed to the client, before compression.
func (e *otlpExporter) BytesSent() uint64 { return e.bytes.Load() }

// String names protocol and endpoint.
func (e *otlpExporter) String() string { return e.name }

// partialError returns nil if p says nothing.
func partialError(p *coltracepb.ExportTracePartialSuccess) error {
	if p.GetRejectedSpans() == 0 && p.GetErrorMessage() == "" {
		return nil
	}
	return &PartialError{Rejected: p.GetRejectedSpans(), Message: p.GetErrorMessage()}
}
