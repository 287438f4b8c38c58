// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/internal/redact"
	"github.com/tracer-agent/tracer-agent/internal/route"
)

// sink keeps what it is offered.
type sink []*export.Span

func (s *sink) Offer(sp *export.Span) bool {
	*s = append(*s, sp)
	return true
}

func testBuilder(t testing.TB, cfg Config) (*Builder, *sink) {
	t.Helper()
	if cfg.Sampler == (Sampler{}) {
		cfg.Sampler, _ = NewSampler("always_on", 1)
	}
	cfg.Secrets = redact.DefaultNames()
	out := &sink{}
	b, err := New(cfg, &Clock{}, out)
	if err != nil {
		t.Fatal(err)
	}
	return b, out
}

func tcpPeer(local, remote string) *Peer {
	return &Peer{Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}
}

// parsed is a message head as httpparse reports it, for as long as f runs.
func parsed(kind httpparse.Kind, text string, f func(*httpparse.Head)) {
	httpparse.New(kind, httpparse.Limits{}).Feed([]byte(text), &onHead{f: f})
}

type onHead struct{ f func(*httpparse.Head) }

func (o *onHead) Head(h *httpparse.Head) httpparse.Method { o.f(h); return httpparse.MethodOther }
func (o *onHead) End(httpparse.End)                       {}
func (o *onHead) Desync()                                 {}

// exchange runs an exchange through b. An empty response is none.
func exchange(b *Builder, x *Exchange, request, response string) {
	if x.Target == nil {
		x.Target = &Target{Resource: resource.Empty()}
	}
	if x.Peer == nil {
		x.Peer = tcpPeer("10.0.0.1:8080", "10.0.0.2:50000")
	}
	if x.End == 0 {
		x.ReqStart, x.End = 100, 300
	}
	parsed(httpparse.Request, request, func(h *httpparse.Head) { b.Request(x, h) })
	if response != "" {
		x.RespStart = 200
		parsed(httpparse.Response, response, func(h *httpparse.Head) { b.Response(x, h) })
	}
	b.Done(x)
}

// attrs writes a span's attributes as sorted lines.
func attrs(s *export.Span) string {
	var lines []string
	for _, a := range s.AppendAttributes(nil) {
		lines = append(lines, fmt.Sprintf("%s=%s", a.Key, a.Value.Emit()))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func TestAttributes(t *testing.T) {
	const (
		peer   = "network.peer.address=10.0.0.2\nnetwork.peer.port=50000\nnetwork.protocol.version=1.1\n"
		client = "client.address=10.0.0.2\n"
		get    = "http.request.method=GET\n"
		ok     = "http.response.status_code=200\n"
	)
	tests := []struct {
		name    string
		server  bool
		peer    *Peer
		request string
		span    string
		want    string
	}{
		{"server", true, nil, "GET /a?b=c HTTP/1.1\r\nHost: shop:8080\r\nUser-Agent: u/1\r\n\r\n", "GET",
			client + get + ok + peer + "server.address=shop\nserver.port=8080\nurl.path=/a\nurl.query=b=c\nurl.scheme=http\nuser_agent.original=u/1"},
		{"client", false, nil, "GET /a?b=c HTTP/1.1\r\nHost: shop:8080\r\n\r\n", "GET",
			get + ok + peer + "server.address=shop\nserver.port=8080\nurl.full=http://shop:8080/a?b=c"},
		{"server, Host without port", true, nil, "GET / HTTP/1.1\r\nhost: shop\r\n\r\n", "GET",
			client + get + ok + peer + "server.address=shop\nserver.port=80\nurl.path=/\nurl.scheme=http"},
		{"server, no Host", true, nil, "GET / HTTP/1.1\r\n\r\n", "GET",
			client + get + ok + peer + "server.address=10.0.0.1\nserver.port=8080\nurl.path=/\nurl.scheme=http"},
		{"client, no Host", false, nil, "GET / HTTP/1.1\r\n\r\n", "GET",
			get + ok + peer + "server.address=10.0.0.2\nserver.port=50000\nurl.full=http://10.0.0.2:50000/"},
		{"server, IPv6 Host", true, nil, "GET / HTTP/1.1\r\nHost: [::1]:9\r\n\r\n", "GET",
			client + get + ok + peer + "server.address=::1\nserver.port=9\nurl.path=/\nurl.scheme=http"},
		{"server, IPv6 Host without port", true, nil, "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "GET",
			client + get + ok + peer + "server.address=::1\nserver.port=80\nurl.path=/\nurl.scheme=http"},
		{"server, IPv6 peer", true, tcpPeer("[2001:db8::1]:80", "[2001:db8::2]:5"), "GET / HTTP/1.0\r\n\r\n", "GET",
			"client.address=2001:db8::2\n" + get + ok + "network.peer.address=2001:db8::2\nnetwork.peer.port=5\nnetwork.protocol.version=1.0\nserver.address=2001:db8::1\nserver.port=80\nurl.path=/\nurl.scheme=http"},
		{"client, absolute-form", false, nil, "GET http://a.example/p HTTP/1.1\r\nHost: b\r\n\r\n", "GET",
			get + ok + peer + "server.address=a.example\nserver.port=80\nurl.full=http://a.example/p"},
		{"client, absolute-form of https", false, nil, "GET HTTPS://a.example HTTP/1.1\r\nHost: b\r\n\r\n", "GET",
			get + ok + peer + "server.address=a.example\nserver.port=443\nurl.full=https://a.example/"},
		{"client, credentials", false, nil, "GET http://u:p@a.example/p?q HTTP/1.1\r\nHost: b\r\n\r\n", "GET",
			get + ok + peer + "server.address=a.example\nserver.port=80\nurl.full=http://REDACTED:REDACTED@a.example/p?q"},
		{"client, user only", false, nil, "GET http://token@a.example/ HTTP/1.1\r\n\r\n", "GET",
			get + ok + peer + "server.address=a.example\nserver.port=80\nurl.full=http://REDACTED@a.example/"},
		{"server, credentials", true, nil, "GET http://u:p@a.example/p HTTP/1.1\r\n\r\n", "GET",
			client + get + ok + peer + "server.address=a.example\nserver.port=80\nurl.path=/p\nurl.scheme=http"},
		{"client, authority-form", false, nil, "CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\n\r\n", "CONNECT",
			"http.request.method=CONNECT\n" + ok + peer + "server.address=a.example\nserver.port=443"},
		{"client, asterisk-form", false, nil, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS",
			"http.request.method=OPTIONS\n" + ok + peer + "server.address=a\nserver.port=80\nurl.full=http://a"},
		{"server, asterisk-form", true, nil, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS",
			client + "http.request.method=OPTIONS\n" + ok + peer + "server.address=a\nserver.port=80\nurl.path=*\nurl.scheme=http"},
		{"unknown method", true, nil, "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP",
			client + "http.request.method=_OTHER\nhttp.request.method_original=PURGE\n" + ok + peer + "server.address=a\nserver.port=80\nurl.path=/\nurl.scheme=http"},
		{"method in lower case", true, nil, "get / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP",
			client + "http.request.method=_OTHER\nhttp.request.method_original=get\n" + ok + peer + "server.address=a\nserver.port=80\nurl.path=/\nurl.scheme=http"},
		{"secrets in the query", true, nil, "GET /a?sig=abc&x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET",
			client + get + ok + peer + "server.address=a\nserver.port=80\nurl.path=/a\nurl.query=sig=REDACTED&x=1\nurl.scheme=http"},
		{"server on a unix socket", true, &Peer{UnixPath: "/run/a.sock"}, "GET / HTTP/1.1\r\n\r\n", "GET",
			get + ok + "network.peer.address=/run/a.sock\nnetwork.protocol.version=1.1\nnetwork.transport=unix\nserver.address=/run/a.sock\nurl.path=/\nurl.scheme=http"},
		{"client on an unnamed unix socket", false, &Peer{}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET",
			get + ok + "network.protocol.version=1.1\nnetwork.transport=unix\nserver.address=a\nserver.port=80\nurl.full=http://a/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, out := testBuilder(t, Config{})
			exchange(b, &Exchange{Server: tt.server, Peer: tt.peer, ReqBody: 0, RespBody: -1}, tt.request, okHead)
			if len(*out) != 1 {
				t.Fatalf("%d spans", len(*out))
			}
			s := (*out)[0]
			if got := attrs(s); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if s.Name != tt.span || s.Status != export.StatusUnset || s.StatusMsg != "" {
				t.Errorf("name %q, status %v %q; want %q, unset", s.Name, s.Status, s.StatusMsg, tt.span)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	tests := []struct {
		name   string
		server bool
		status int // 0: no response
		x      Exchange
		kind   string // error.type
		want   string // of sizes and end
	}{
		{"200", true, 200, Exchange{ReqBody: 5, RespBody: 7}, "", "http.request.body.size=5 http.response.body.size=7"},
		{"empty bodies", true, 200, Exchange{ReqBody: 0, RespBody: 0}, "", "http.response.body.size=0"},
		{"unknown sizes", true, 200, Exchange{ReqBody: -1, RespBody: -1}, "", ""},
		{"301", false, 301, Exchange{RespBody: -1}, "", ""},
		{"server 404", true, 404, Exchange{RespBody: -1}, "", ""},
		{"client 404", false, 404, Exchange{RespBody: -1}, "404", ""},
		{"server 500", true, 500, Exchange{RespBody: -1}, "500", ""},
		{"client 503", false, 503, Exchange{RespBody: -1}, "503", ""},
		{"client 999", false, 999, Exchange{RespBody: -1}, "999", ""},
		{"no response", true, 0, Exchange{Outcome: NoResponse, RespBody: -1}, "no_response", ""},
		{"request cut", true, 0, Exchange{Outcome: RequestCut, ReqBody: -1, RespBody: -1}, "request_incomplete", ""},
		{"reset", false, 0, Exchange{Outcome: ConnectionReset, RespBody: -1}, "connection_reset", ""},
		{"response cut", false, 200, Exchange{Outcome: ResponseCut, RespBody: 3}, "response_incomplete", ""},
		{"inferred end", true, 200, Exchange{Outcome: Inferred, RespBody: 3}, "", "http.response.body.size=3 tracer_agent.end=inferred"},
		{"end not known", true, 200, Exchange{Outcome: ResponseBodyLost, RespBody: 3}, "", "tracer_agent.end=unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, out := testBuilder(t, Config{})
			x := tt.x
			x.Server = tt.server
			head := ""
			if tt.status != 0 {
				head = fmt.Sprintf("HTTP/1.1 %d X\r\n\r\n", tt.status)
			}
			exchange(b, &x, "GET / HTTP/1.1\r\n\r\n", head)
			s := (*out)[0]
			var kind, rest []string
			status := "0"
			for _, a := range s.Attrs {
				switch text := a.Value.Emit(); {
				case a.Key == "error.type":
					kind = append(kind, text)
				case a.Key == "http.response.status_code":
					status = text
				case strings.HasSuffix(string(a.Key), ".size"), a.Key == EndKey:
					rest = append(rest, string(a.Key)+"="+text)
				}
			}
			if strings.Join(kind, " ") != tt.kind || strings.Join(rest, " ") != tt.want || status != fmt.Sprint(tt.status) {
				t.Errorf("error.type %v, status %s, %v; want %q, %d, %q", kind, status, rest, tt.kind, tt.status, tt.want)
			}
			if failed := s.Status == export.StatusError; failed != (tt.kind != "") {
				t.Errorf("span status %v with error.type %v", s.Status, kind)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	set, err := route.Compile([]string{"/users/{id}"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		server bool
		target string
		want   string
	}{
		{true, "/users/7?x=1", "GET /users/{id}"},
		{true, "http://h/users/7", "GET /users/{id}"},
		{true, "/other", "GET"},
		{false, "/users/7", "GET"},
	} {
		b, out := testBuilder(t, Config{})
		x := &Exchange{Server: tt.server, Target: &Target{Resource: resource.Empty(), Routes: set}}
		exchange(b, x, "GET "+tt.target+" HTTP/1.1\r\n\r\n", okHead)
		s := (*out)[0]
		if s.Name != tt.want || strings.Contains(attrs(s), "http.route=") != (tt.want != "GET") {
			t.Errorf("%s, server %v: name %q, attributes\n%s", tt.target, tt.server, s.Name, attrs(s))
		}
	}
}

func TestCapture(t *testing.T) {
	b, out := testBuilder(t, Config{RequestHeaders: []string{"X-A", "Accept"}, ResponseHeaders: []string{"x-b"}})
	exchange(b, &Exchange{Server: true}, "GET / HTTP/1.1\r\nx-a: 1\r\nX-A: 2\r\nAuthorization: secret\r\nX-B: no\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-B: 3\r\nX-A: no\r\nSet-Cookie: secret\r\n\r\n")
	got := attrs((*out)[0])
	for _, want := range []string{`http.request.header.x-a=["1","2"]`, `http.response.header.x-b=["3"]`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, never := range []string{"secret", "accept", "=no", `"no"`} {
		if strings.Contains(got, never) {
			t.Errorf("%s in\n%s", never, got)
		}
	}
}

func TestTruncated(t *testing.T) {
	b, out := testBuilder(t, Config{})
	x := &Exchange{Server: true, Peer: tcpPeer("10.0.0.1:80", "10.0.0.2:9"), Target: &Target{Resource: resource.Empty()}, End: 1}
	p := httpparse.New(httpparse.Request, httpparse.Limits{})
	h := &onHead{f: func(h *httpparse.Head) { b.Request(x, h) }}
	p.Feed([]byte("GET / HTTP/1.1\r\nHost: a\r\nX"), h)
	p.Skip(100, h)
	b.Done(x)
	if got := attrs((*out)[0]); !strings.Contains(got, "tracer_agent.truncated=true") {
		t.Errorf("not marked:\n%s", got)
	}
}

// TestNoSpan: what is not sampled, not selected or dropped is not offered, and counted.
func TestNoSpan(t *testing.T) {
	never, err := NewSampler("always_off", 0)
	if err != nil {
		t.Fatal(err)
	}
	b, out := testBuilder(t, Config{Sampler: never})
	exchange(b, &Exchange{Server: true}, "GET / HTTP/1.1\r\n\r\n", okHead)
	x := &Exchange{Server: true, Peer: tcpPeer("10.0.0.1:80", "10.0.0.2:9")}
	parsed(httpparse.Request, "GET / HTTP/1.1\r\n\r\n", func(h *httpparse.Head) { b.Request(x, h) })
	b.Done(x) // Target is nil
	if s := b.Stats(); len(*out) != 0 || s.Unsampled != 1 || s.Unselected != 1 || s.Offered != 0 {
		t.Errorf("%d spans, %+v", len(*out), s)
	}
	b, out = testBuilder(t, Config{})
	x = &Exchange{Server: true, Peer: x.Peer, Target: &Target{Resource: resource.Empty()}}
	parsed(httpparse.Request, "GET / HTTP/1.1\r\n\r\n", func(h *httpparse.Head) { b.Request(x, h) })
	b.Drop(x)
	b.Drop(x)
	if s := b.Stats(); len(*out) != 0 || s != (Stats{Links: link.Stats{Processes: 1}}) {
		t.Errorf("%d spans, %+v", len(*out), s)
	}
}
