// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/trace"
)

// tee exports to main and shows every batch to mirror once.
type tee struct {
	main, mirror Exporter
	retrying     trace.SpanID // first span of a batch that main may be given again
}

// NewTee returns an exporter that writes to main and prints the same spans with
// mirror, such as [NewText]. Only main decides a batch's fate: a batch is
// mirrored at its first attempt, and errors of mirror are ignored.
func NewTee(main, mirror Exporter) Exporter { return &tee{main: main, mirror: mirror} }

// Export implements Exporter.
func (t *tee) Export(ctx context.Context, spans []*Span) error {
	if len(spans) == 0 {
		return nil
	}
	first := spans[0].SpanID
	if first != t.retrying {
		_ = t.mirror.Export(ctx, spans)
	}
	t.retrying = trace.SpanID{}
	err := t.main.Export(ctx, spans)
	var retry *RetryableError
	if errors.As(err, &retry) {
		t.retrying = first
	}
	return err
}

// Shutdown implements Exporter.
func (t *tee) Shutdown(ctx context.Context) error {
	return errors.Join(t.main.Shutdown(ctx), t.mirror.Shutdown(ctx))
}

// BytesSent counts the bytes of the main exporter, if it knows them.
func (t *tee) BytesSent() uint64 {
	if e, ok := t.main.(interface{ BytesSent() uint64 }); ok {
		return e.BytesSent()
	}
	return 0
}

// String names the main exporter, if it has a name.
func (t *tee) String() string {
	if s, ok := t.main.(interface{ String() string }); ok {
		return s.String()
	}
	return "tee"
}
