// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// epoch is the start of the example spans.
var epoch = time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)

// exampleSpan fills a pooled span with what a traced request typically has.
func exampleSpan(n uint64) *Span {
	s := GetSpan()
	binary.BigEndian.PutUint64(s.TraceID[8:], n+1)
	binary.BigEndian.PutUint64(s.SpanID[:], n+0x1000)
	s.Flags = trace.FlagsSampled
	s.Name = "GET /users/{id}"
	s.Kind = trace.SpanKindServer
	s.Start = epoch.UnixNano()
	s.End = s.Start + int64(3*time.Millisecond)
	s.Attrs = append(s.Attrs,
		attribute.String("http.request.method", "GET"),
		attribute.String("url.scheme", "http"),
		attribute.String("url.path", "/users/12345"),
		attribute.String("url.query", "verbose=true"),
		attribute.String("http.route", "/users/{id}"),
		attribute.Int("http.response.status_code", 200),
		attribute.String("server.address", "shop.example.com"),
		attribute.Int("server.port", 8080),
		attribute.String("client.address", "192.0.2.17"),
		attribute.String("network.peer.address", "192.0.2.17"),
		attribute.Int("network.peer.port", 51234),
		attribute.String("network.protocol.version", "1.1"),
		attribute.String("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
		attribute.Int("http.response.body.size", 4321),
	)
	return s
}
