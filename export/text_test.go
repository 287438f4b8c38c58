// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

// textSpanOf describes one line of the tests below.
type textSpanOf struct {
	trace, id, parent byte
	at                time.Duration // start after epoch
	service, name     string
	kind              trace.SpanKind
	attrs             []attribute.KeyValue
	failed            bool
}

func (d textSpanOf) span() *Span {
	s := GetSpan()
	s.TraceID, s.SpanID = trace.TraceID{15: d.trace}, trace.SpanID{7: d.id}
	if d.parent != 0 {
		s.Parent = trace.SpanID{7: d.parent}
	}
	s.Start = epoch.Add(d.at).UnixNano()
	s.End = s.Start + int64(1234567*time.Nanosecond)
	s.Name, s.Kind = d.name, d.kind
	s.Resource = resource.NewSchemaless(attribute.String("service.name", d.service))
	s.Attrs = append(s.Attrs, d.attrs...)
	if d.failed {
		s.Status = StatusError
	}
	return s
}

func TestTextGolden(t *testing.T) {
	str, num := attribute.String, attribute.Int
	ok := num("http.response.status_code", 200)
	spans := []*Span{
		// Children come first, as they end first; another trace is mixed in.
		textSpanOf{trace: 1, id: 3, parent: 2, at: 2 * time.Millisecond, service: "stock", name: "GET /stock/{sku}", kind: trace.SpanKindServer,
			attrs: []attribute.KeyValue{str("url.path", "/stock/7"), str("url.query", "fresh=1"), ok}}.span(),
		textSpanOf{trace: 2, id: 9, parent: 8, service: "shop", name: "GET", kind: trace.SpanKindServer,
			attrs: []attribute.KeyValue{str("url.path", "/orphan"), ok}}.span(),
		textSpanOf{trace: 1, id: 2, parent: 1, at: time.Millisecond, service: "shop", name: "GET", kind: trace.SpanKindClient,
			attrs: []attribute.KeyValue{str("url.full", "http://stock:8080/stock/7?fresh=1"), ok}}.span(),
		textSpanOf{trace: 1, id: 5, parent: 1, at: 4 * time.Millisecond, service: "shop", name: "POST", kind: trace.SpanKindClient, failed: true,
			attrs: []attribute.KeyValue{str("server.address", "::1"), num("server.port", 9000), str("url.path", "/pay"), str("error.type", "timeout")}}.span(),
		textSpanOf{trace: 1, id: 1, service: "shop", name: "POST /orders", kind: trace.SpanKindServer, failed: true,
			attrs: []attribute.KeyValue{str("url.path", "/orders"), num("http.response.status_code", 502)}}.span(),
		// Hostile: terminal control, and spans that are each other's parent.
		textSpanOf{trace: 3, id: 1, service: "shop", name: "\x1b[31mGET\u202e", kind: trace.SpanKindServer,
			attrs: []attribute.KeyValue{str("url.path", "/\xff\r\n"+strings.Repeat("long", 100)), ok}}.span(),
		textSpanOf{trace: 4, id: 1, parent: 2, service: "a", name: "GET", kind: trace.SpanKindServer}.span(),
		textSpanOf{trace: 4, id: 2, parent: 1, service: "b", name: "GET", kind: trace.SpanKindClient}.span(),
		textSpanOf{trace: 4, id: 3, parent: 3, service: "c", name: "GET", kind: trace.SpanKindInternal}.span(),
	}
	var out bytes.Buffer
	exp := newText(&out, time.UTC)
	if err := exp.Export(context.Background(), spans); err != nil {
		t.Fatal(err)
	}
	if err := exp.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "spans.txt", out.Bytes())
}

func TestTextPrintsATraceAfterItsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		exp := newText(&out, time.UTC)
		export := func(id byte) {
			if err := exp.Export(context.Background(), []*Span{textSpanOf{trace: 1, id: id, parent: 1}.span()}); err != nil {
				t.Error(err)
			}
		}
		lines := func() int {
			synctest.Wait()
			exp.mu.Lock()
			defer exp.mu.Unlock()
			return strings.Count(out.String(), "\n")
		}
		export(2)
		elapse(textHold - time.Millisecond)
		export(1)
		if n := lines(); n != 0 {
			t.Errorf("%d lines before the hold is over", n)
		}
		elapse(time.Millisecond)
		if n := lines(); n != 2 {
			t.Errorf("%d lines after the hold, want 2", n)
		}
		export(3) // a late part of the same trace is printed on its own
		elapse(textHold)
		if n := lines(); n != 3 {
			t.Errorf("%d lines after the second hold, want 3", n)
		}
	})
}

func TestTextHoldsABoundedNumberOfSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		exp := newText(&out, time.UTC)
		for i := range uint64(3 * maxTextHeld) {
			s := exampleSpan(i)
			if err := exp.Export(context.Background(), []*Span{s}); err != nil {
				t.Fatal(err)
			}
			PutSpan(s)
			if exp.spans > maxTextHeld {
				t.Fatalf("%d spans held", exp.spans)
			}
		}
		if err := exp.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 3*maxTextHeld {
			t.Errorf("%d lines, want %d", n, 3*maxTextHeld)
		}
	})
}

func TestTextReportsWriteErrors(t *testing.T) {
	exp := newText(brokenWriter{}, time.UTC)
	if err := exp.Export(context.Background(), []*Span{exampleSpan(1)}); err != nil {
		t.Errorf("error before anything was written: %v", err)
	}
	if err := exp.Shutdown(context.Background()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error = %v", err)
	}
}
