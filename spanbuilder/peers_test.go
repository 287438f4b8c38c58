// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"net/netip"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/tracer-agent/tracer-agent/httpparse"
)

// The other end of a connection has the name that Peers gives it, in place of a
// bare address in the request, and of nothing else.
func TestPeerNames(t *testing.T) {
	known := map[netip.Addr]string{netip.MustParseAddr("10.96.0.7"): "cart.shop"}
	peers := func(a netip.Addr) (string, []attribute.KeyValue) {
		if name, ok := known[a]; ok {
			return name, []attribute.KeyValue{attribute.String("peer.is", name)}
		}
		return "", nil
	}
	b, out := testBuilder(t, Config{Peers: peers})
	tests := []struct {
		host, remote, address, port, is string
		server                          bool
	}{
		{host: "10.96.0.7", remote: "10.96.0.7:80", address: "cart.shop", port: "80", is: "cart.shop"},
		{host: "10.96.0.7:8080", remote: "10.96.0.7:8080", address: "cart.shop", port: "8080", is: "cart.shop"},
		{host: "", remote: "10.96.0.7:8080", address: "cart.shop", port: "8080", is: "cart.shop"},
		{host: "cart", remote: "10.96.0.7:80", address: "cart", port: "80", is: "cart.shop"},
		{host: "10.96.0.8", remote: "10.96.0.7:80", address: "10.96.0.8", port: "80", is: "cart.shop"}, // through a proxy
		{host: "10.96.0.7", remote: "10.96.0.9:80", address: "10.96.0.7", port: "80"},
		{host: "10.96.0.7", remote: "10.96.0.7:80", address: "10.96.0.7", port: "80", is: "cart.shop", server: true},
		{host: "10.96.0.7", remote: "10.96.0.7:80", address: "cart.shop", port: "80", is: "cart.shop"}, // as the first, after others
	}
	// One parser sees all heads: requests that are the same are described once.
	parser := httpparse.New(httpparse.Request, httpparse.Limits{})
	for i, tt := range tests {
		x := &Exchange{Target: &Target{}, Peer: tcpPeer("10.0.0.1:40000", tt.remote), Server: tt.server, ReqStart: 100, End: 300}
		request := "GET /a HTTP/1.1\r\nHost: " + tt.host + "\r\n\r\n"
		if tt.host == "" {
			request = "GET /a HTTP/1.0\r\n\r\n"
		}
		parser.Feed([]byte(request), &onHead{f: func(h *httpparse.Head) { b.Request(x, h) }})
		b.Done(x)
		b.Flush()
		if len(*out) != i+1 {
			t.Fatalf("%d spans after %d requests", len(*out), i+1)
		}
		got := "\n" + attrs((*out)[i]) + "\n"
		for _, want := range []string{"server.address=" + tt.address, "server.port=" + tt.port} {
			if !strings.Contains(got, "\n"+want+"\n") {
				t.Errorf("%+v: no %s in%s", tt, want, got)
			}
		}
		if strings.Contains(got, "peer.is=") != (tt.is != "") {
			t.Errorf("%+v: attributes%s", tt, got)
		}
	}
}
