// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/httpparse"
)

// recycle gives spans back at once, as the queue does once they are sent.
type recycle struct{}

func (recycle) Offer(s *export.Span) bool { export.PutSpan(s); return true }

const typical = "GET /index.html HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"

// typicalExchange returns a function that makes one SERVER span without context.
func typicalExchange(tb testing.TB) func() {
	b, _ := testBuilder(tb, Config{})
	b.sink = recycle{}
	target, peer := &Target{Resource: resource.Empty()}, tcpPeer("10.0.0.1:8080", "10.0.0.2:50000")
	parser := httpparse.New(httpparse.Request, httpparse.Limits{})
	var x Exchange
	h := &onHead{}
	h.f = func(h *httpparse.Head) { b.Request(&x, h) }
	answers := httpparse.New(httpparse.Response, httpparse.Limits{})
	a := &onHead{}
	a.f = func(h *httpparse.Head) { b.Response(&x, h) }
	request, response := []byte(typical), []byte(okHead)
	return func() {
		x = Exchange{Server: true, Peer: peer, Target: target, ReqStart: 1, RespStart: 2, End: 3}
		parser.Feed(request, h)
		answers.Feed(response, a)
		b.Done(&x)
	}
}

// TestAllocs guards what a typical SERVER span costs.
func TestAllocs(t *testing.T) {
	if n := testing.AllocsPerRun(1000, typicalExchange(t)); n > 2 {
		t.Errorf("%v allocations per exchange, want at most 2", n)
	}
}

func BenchmarkServerSpan(b *testing.B) {
	f := typicalExchange(b)
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}
