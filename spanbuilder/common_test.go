// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/route"
)

// TestSameHeads: what is said of a request does not depend on the ones before,
// be they the same or alike, of another side, connection, route or Builder.
func TestSameHeads(t *testing.T) {
	routes, err := route.Compile([]string{"/users/{id}"})
	if err != nil {
		t.Fatal(err)
	}
	heads := []string{
		"GET /users/7?token=s3cret&a=1 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: a\r\nX-Tenant: t\r\n\r\n",
		"GET /users/8 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: a\r\nX-Tenant: t\r\n\r\n",
		"HEAD /users/8 HTTP/1.0\r\nHost: shop.example:8080\r\nUser-Agent: a\r\nX-Tenant: t\r\n\r\n",
		"PURGE http://u:p@other.example/x HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: a\r\nX-Tenant: t\r\n\r\n",
		"CONNECT db.example:5432 HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: :80\r\nUser-Agent: a\r\n\r\n",
		"GET / HTTP/1.1\r\nUser-Agent: a\r\nAccept: */*\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.example\r\ntraceparent: 00-5c2e91a07bd34f6688c1d20e9a4b7f13-9d41c6e08f2ab735-01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.example\r\nX-Request-Id: 1234\r\n\r\n",
	}
	plain := &Target{Resource: resource.Empty()}
	targets := []*Target{plain, {Resource: resource.Empty(), Routes: routes}}
	peers := []*Peer{tcpPeer("10.0.0.1:8080", "10.0.0.2:50000"), tcpPeer("[::1]:80", "[::1]:50001"), {UnixPath: "/run/a.sock"}, {}}
	cfgs := []Config{{}, {RequestHeaders: []string{"X-Tenant"}}}

	request := func(b *Builder, p *httpparse.Parser, out *sink, head string, server bool, target *Target, peer Peer) string {
		x := &Exchange{Server: server, Target: target, Peer: &peer, ReqStart: 1, End: 2}
		p.Feed([]byte(head), &onHead{f: func(h *httpparse.Head) { b.Request(x, h) }})
		b.Done(x)
		b.Flush()
		s := (*out)[len(*out)-1]
		return s.Name + "\n" + attrs(s)
	}
	var builders []*Builder
	var outs []*sink
	for _, cfg := range cfgs {
		b, out := testBuilder(t, cfg)
		builders, outs = append(builders, b), append(outs, out)
	}
	memory := httpparse.New(httpparse.Request, httpparse.Limits{})
	for i := range 3 * 4 * len(heads) * len(targets) * len(peers) * len(cfgs) * 2 {
		n := i / 4 // each of them several times, then mixed
		if i%5 == 4 {
			n = i * 7
		}
		pick := func(k int) int { r := n % k; n /= k; return r }
		server, target, peer, c, head := pick(2) == 0, targets[pick(len(targets))], peers[pick(len(peers))], pick(len(cfgs)), heads[pick(len(heads))]
		fresh, out := testBuilder(t, cfgs[c])
		want := request(fresh, httpparse.New(httpparse.Request, httpparse.Limits{}), out, head, server, target, *peer)
		if got := request(builders[c], memory, outs[c], head, server, target, *peer); got != want {
			t.Fatalf("%q, server %v:\n%s\nwant\n%s", head, server, got, want)
		}
	}
	if !usesDescribed(*outs[0]) {
		t.Error("no head was recognised")
	}
}

// usesDescribed says that spans of the same head share all their attributes.
func usesDescribed(spans []*export.Span) bool {
	for _, s := range spans {
		for _, a := range s.Shared[0].Attributes() {
			if a.Key == "url.path" {
				return true
			}
		}
	}
	return false
}
