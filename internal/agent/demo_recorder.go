// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/demo"
)

// recorder is an exporter that keeps what the demo compares. spans may be read
// once the agent is closed.
type recorder struct {
	want   int           // spans that are expected
	enough chan struct{} // closed when so many have come
	spans  []demo.Span
}

// Export implements export.Exporter.
func (r *recorder) Export(_ context.Context, spans []*export.Span) error {
	before := len(r.spans)
	for _, s := range spans {
		r.spans = append(r.spans, demoSpan(s))
	}
	if before < r.want && len(r.spans) >= r.want {
		close(r.enough)
	}
	return nil
}

// Shutdown implements export.Exporter.
func (r *recorder) Shutdown(context.Context) error { return nil }

// wait returns when the expected number of spans has come, or will not come any
// more. Its error is ctx's.
func (r *recorder) wait(ctx context.Context) error {
	timer := time.NewTimer(demoWait)
	defer timer.Stop()
	select {
	case <-r.enough:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// demoSpan copies what is compared of s, which is reused afterwards.
func demoSpan(s *export.Span) demo.Span {
	d := demo.Span{
		Kind: s.Kind, Name: s.Name, ID: s.SpanID, Trace: s.TraceID, Parent: s.Parent,
		Body: -1, Duration: time.Duration(s.End - s.Start),
	}
	if v, ok := s.Resource.Set().Value(semconv.ServiceNameKey); ok {
		d.Service = v.AsString()
	}
	var path, query string
	for _, a := range s.AppendAttributes(nil) {
		switch a.Key {
		case semconv.URLPathKey:
			path = a.Value.AsString()
		case semconv.URLQueryKey:
			query = "?" + a.Value.AsString()
		case semconv.URLFullKey:
			path = requestTarget(a.Value)
		case semconv.HTTPResponseStatusCodeKey:
			d.Status = int(a.Value.AsInt64())
		case semconv.HTTPResponseBodySizeKey:
			d.Body = a.Value.AsInt64()
		case semconv.ErrorTypeKey:
			d.Error = a.Value.AsString()
		}
	}
	d.Target = path + query
	return d
}

// requestTarget returns path and query of a URL; the URL if it is none.
func requestTarget(v attribute.Value) string {
	u, err := url.Parse(v.AsString())
	if err != nil {
		return v.AsString()
	}
	return u.RequestURI()
}
