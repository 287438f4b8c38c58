// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// serverCase is traffic that every server with the needed features must handle.
type serverCase struct {
	name string
	need feature
	run  func(c *tcase, s *server)
}

// one is a case of a single request on a connection of its own.
func one(name string, need feature, r request, want int) serverCase {
	return serverCase{name, need, func(c *tcase, s *server) {
		conn, req := s.dial(c, ""), r
		if r.root {
			req.target += s.name // a root is recognised by its target alone
		}
		if rep := c.exchange(conn, &req); rep.status != want {
			c.Errorf("status %d, want %d", rep.status, want)
		}
	}}
}

func serverCases() []serverCase {
	return []serverCase{
		one("get", 0, request{target: "/ok?a=1&b=%20x"}, 200),
		one("root", 0, request{target: "/ok?unlinked", root: true}, 200),
		one("tracestate", 0, request{target: "/ok", state: "vendor=1,other=2"}, 200),
		one("escaped path", 0, request{target: "/no%2Fsuch/%C3%A9?q=%C3%A9"}, 404),
		one("redacted query", 0, request{target: "/ok?a=1&sig=hunter2", query: "a=1&sig=REDACTED",
			adjust: func(e *expect) { e.headerSecret = "hunter2" }}, 200),
		one("no secrets", 0, request{target: "/ok", fields: []string{"Authorization: Bearer tiger9", "Cookie: id=tiger9"},
			adjust: func(e *expect) { e.headerSecret = "tiger9" }}, 200),
		one("not found", 0, request{target: "/missing"}, 404),
		one("server error", 0, request{target: "/fail"}, 500),
		one("head", 0, request{method: http.MethodHead, target: "/size/1000"}, 200),
		one("no content", 0, request{target: "/empty"}, 204),
		one("not modified", 0, request{target: "/notmodified",
			fields: []string{"If-Modified-Since: " + fileTime.Format(http.TimeFormat)}}, 304),
		one("HTTP/1.0", 0, request{target: "/ok", version: "1.0"}, 200),
		one("connection close", 0, request{target: "/ok", fields: []string{"Connection: close"}}, 200),
		one("head in single bytes", 0, request{target: "/ok?slowly", pieces: 1}, 200),
		one("head in pieces", 0, request{target: "/ok?pieces", pieces: 17}, 200),
		one("chunked response", canChunk, request{target: "/chunked/5000", fields: []string{"Accept-Encoding: gzip"}}, 200),
		one("trailers", canTrailer, request{target: "/trailers", fields: []string{"TE: trailers"}}, 200),
		one("post", canEcho, request{method: http.MethodPost, target: "/echo", body: pattern(1000)}, 200),
		one("post that looks like requests", canEcho, request{method: http.MethodPost, target: "/echo",
			body: strings.Repeat("GET /ghost HTTP/1.1\r\nHost: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 20)}, 200),
		one("post in chunks", canEcho|canChunkedBody, request{method: http.MethodPost, target: "/echo", body: pattern(2000), chunked: true}, 200),
		one("post in chunks with a trailer", canEcho|canBodyTrailer, request{method: http.MethodPost, target: "/echo", body: pattern(2000), chunked: true, trailer: true}, 200),
		one("continue", canEcho|canContinue, request{method: http.MethodPost, target: "/echo", body: pattern(5000), expect: true}, 200),
		one("put", canPut, request{method: http.MethodPut, target: "/upload/x", body: pattern(5000)}, 201),
		{"traceparent at the end of 8 KiB", 0, longHead},
		{"keep-alive", canKeep, keepAlive},
		{"pipelined", canPipeline, pipelined},
		{"webdav", canWebDAV, webdav},
		{"stream", canStream, streamed},
		{"1 MiB down", 0, megabyteDown},
		{"1 MiB up", canEcho, megabyteUp},
	}
}

// TestServers runs every case against every packaged server. Half of the
// servers start before the agent and half after it.
func TestServers(t *testing.T) {
	block := suite.NewPorts(t)
	list := apps()
	servers := make([]*server, len(list))
	start := func(parity int) {
		for i, a := range list {
			if i%2 == parity {
				servers[i] = a.start(t, a.name, block.Take(t))
				servers[i].feature = a.feature
			}
		}
	}
	start(0)
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}, protocol: otlptest.GRPC})
	start(1)
	t.Run("traffic", func(t *testing.T) {
		for _, s := range servers {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				for _, sc := range serverCases() {
					if sc.need&^s.feature == 0 {
						th.send(t, s.name+"/"+sc.name, func(c *tcase) { sc.run(c, s) })
					}
				}
			})
		}
	})
	th.finish(t)
}

// longHead sends a head of exactly 8 KiB whose last field is traceparent.
func longHead(c *tcase, s *server) {
	r := &request{target: "/ok?long", last: true}
	base := len((&request{target: r.target, last: true}).head(s.dial(c, "").host))
	room := 8192 - base
	for i := 0; room > 0; i++ {
		field := fmt.Sprintf("Cookie: c%02d=", i)
		n := min(room, 500)
		if left := room - n; left > 0 && left < len(field)+3 {
			n -= len(field) + 3 // leave space for one more whole field
		}
		r.fields = append(r.fields, field+strings.Repeat("x", n-len(field)-2))
		room -= n
	}
	if n := len(r.head("127.0.0.1:" + fmt.Sprint(s.port))); n != 8192 {
		c.Fatalf("the head has %d bytes, want 8192", n)
	}
	if rep := c.exchange(s.dial(c, ""), r); rep.status != 200 {
		c.Errorf("status %d, want 200", rep.status)
	}
}

// keepAlive sends several requests on one connection, some of them errors.
func keepAlive(c *tcase, s *server) {
	conn := s.dial(c, "")
	for i, want := range []struct {
		target string
		status int
	}{{"/ok", 200}, {"/missing", 404}, {"/empty", 204}, {"/size/5000", 200}, {"/ok", 200}} {
		rep := c.exchange(conn, &request{target: fmt.Sprintf("%s?turn=%d", want.target, i)})
		if rep.status != want.status {
			c.Errorf("%s: status %d, want %d", want.target, rep.status, want.status)
		}
	}
}

// pipelined sends five requests in one write and reads five replies.
func pipelined(c *tcase, s *server) {
	conn := s.dial(c, "")
	targets := []string{"/ok", "/size/1000", "/missing", "/empty", "/ok"}
	reqs := make([]*request, len(targets))
	var wire strings.Builder
	for i, target := range targets {
		reqs[i] = &request{target: fmt.Sprintf("%s?pipe=%d", target, i)}
		wire.WriteString(reqs[i].head(conn.host))
	}
	start := conn.writeAll(c, wire.String())
	for _, r := range reqs {
		rep := conn.read(c, r)
		rep.start = start
		c.file(conn, r, rep)
	}
}

// webdav uses a method that semantic conventions do not name. Servers differ
// in their answer; the span must tell the one given.
func webdav(c *tcase, s *server) {
	c.exchange(s.dial(c, ""), &request{method: "PROPFIND", target: "/ok", fields: []string{"Connection: close"}})
}

// streamed checks that a response sent over 750 ms ends the span at its end.
func streamed(c *tcase, s *server) {
	rep := c.exchange(s.dial(c, ""), &request{target: "/stream"})
	if took := rep.end.Sub(rep.start); rep.size != 400 || took < 2*schedSlack*9/10 {
		c.Errorf("%d bytes in %s: the server does not stream", rep.size, took)
	}
}

func megabyteDown(c *tcase, s *server) {
	rep := c.exchange(s.dial(c, ""), &request{target: "/size/1048576"})
	if rep.sha256 != sha(pattern(1<<20)) {
		c.Errorf("%d bytes, and they are not the file's", rep.size)
	}
}

func megabyteUp(c *tcase, s *server) {
	body := pattern(1 << 20)
	rep := c.exchange(s.dial(c, ""), &request{method: http.MethodPost, target: "/echo", body: body})
	if rep.sha256 != sha(body) {
		c.Errorf("%d bytes came back, and they are not the ones sent", rep.size)
	}
}
