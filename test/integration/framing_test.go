// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// framingCase sends requests, in order, on one connection to rawserver, which
// answers each with the exact bytes of its script.
type framingCase struct {
	name   string
	reqs   []request
	status []int
	sizes  []int64 // body bytes that must come back; nil: not checked
}

func framingCases() []framingCase {
	get := func(target string) request { return request{target: target} }
	return []framingCase{
		{"close-delimited", []request{get("/plain"), get("/close")}, []int{200, 200}, []int64{5, 13}},
		{"close-delimited HTTP/1.0", []request{{target: "/close10", version: "1.0"}}, []int{200}, []int64{13}},
		{"HTTP/1.0 keep-alive", []request{
			{target: "/keep10?1", version: "1.0", fields: []string{"Connection: keep-alive"}},
			{target: "/keep10?2", version: "1.0", fields: []string{"Connection: keep-alive"}},
		}, []int{200, 200}, []int64{3, 3}},
		{"interim responses", []request{get("/hints"), get("/plain")}, []int{201, 200}, []int64{0, 5}},
		{"304 with a length", []request{get("/length304"), get("/plain")}, []int{304, 200}, []int64{0, 5}},
		{"204 then more", []request{get("/no-content"), get("/plain")}, []int{204, 200}, []int64{0, 5}},
		{"HEAD with a length", []request{{method: http.MethodHead, target: "/plain"}, get("/plain")}, []int{200, 200}, []int64{0, 5}},
		{"chunk extensions and trailers", []request{get("/extensions"), get("/plain")}, []int{200, 200}, []int64{15, 5}},
		{"unknown status without a reason", []request{get("/no-reason"), get("/plain")}, []int{299, 200}, []int64{2, 5}},
		{"a body that looks like messages", []request{get("/nested"), get("/plain")}, []int{200, 200}, []int64{66, 5}},
		{"lower case and folded fields", []request{get("/lower"), get("/plain")}, []int{200, 200}, []int64{4, 5}},
		{"response head over 4 KiB", []request{{target: "/big-head", adjust: func(e *expect) { e.respBody = ifPresent(4) }}, get("/plain")}, []int{200, 200}, []int64{4, 5}},
		{"response in single bytes", []request{get("/bytes"), get("/plain")}, []int{200, 200}, []int64{5, 5}},
		{"answer before the body is read", []request{{method: http.MethodPost, target: "/early", body: pattern(20000),
			adjust: func(e *expect) { e.reqBody = size{}; e.fault = faultAny }}}, []int{413}, []int64{4}},
		{"server closes after the answer", []request{get("/gone")}, []int{410}, []int64{4}},
		{"absolute form", []request{{target: "http://shop.example/plain?x=1", path: "/plain", query: "x=1",
			adjust: func(e *expect) { e.serverAddr, e.serverPort = "", 0 }}}, []int{200}, []int64{5}},
		{"asterisk form", []request{{method: http.MethodOptions, target: "*", adjust: func(e *expect) { e.path = "" }}}, []int{404}, []int64{3}},
		{"methods", []request{
			{method: http.MethodDelete, target: "/plain"}, {method: http.MethodPatch, target: "/plain", body: "x"},
			{method: "BREW", target: "/plain"}, {method: "M-SEARCH", target: "/plain"},
		}, []int{200, 200, 200, 200}, []int64{5, 5, 5, 5}},
		{"request chunks with a trailer", []request{
			{method: http.MethodPost, target: "/plain", body: pattern(1500), chunked: true, trailer: true}, get("/plain"),
		}, []int{200, 200}, []int64{5, 5}},
		{"odd field names", []request{{target: "/plain", fields: []string{"x!#$%&'*+-.^_`|~: 1", "Empty:", "TRACEPARENTX: 1"}}}, []int{200}, []int64{5}},
		{"upper-case traceparent name", []request{{target: "/plain", rename: "TRACEPARENT"}}, []int{200}, []int64{5}},
	}
}

// TestFraming checks every way in which HTTP/1 delimits messages.
func TestFraming(t *testing.T) {
	block := suite.NewPorts(t)
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}, protocol: otlptest.HTTP})
	raw := startRaw(t, "raw", "http", block.Take(t))
	web := startGo(t, "go", block.Take(t))
	nginx := startNginx(t, "nginx", block.Take(t))
	for _, fc := range framingCases() {
		th.send(t, fc.name, func(c *tcase) { fc.send(c, raw) })
	}
	th.send(t, "leading empty lines", func(c *tcase) { leadingLines(c, nginx) })
	th.send(t, "websocket upgrade", func(c *tcase) {
		r := &request{target: "/upgrade", fields: []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}}
		tunnelled(c, raw, r, http.StatusSwitchingProtocols)
	})
	th.send(t, "connect", func(c *tcase) {
		tunnelled(c, raw, &request{method: http.MethodConnect, target: "db.example:5432"}, http.StatusOK)
	})
	th.send(t, "pipelined in one write with bodies", func(c *tcase) { pipelinedBodies(c, web) })
	th.send(t, "pipelined across odd writes", func(c *tcase) { pipelinedPieces(c, web) })
	th.finish(t)
}

func (fc framingCase) send(c *tcase, s *server) {
	conn := s.dial(c, "")
	for i := range fc.reqs {
		rep := c.exchange(conn, &fc.reqs[i])
		if rep.status != fc.status[i] || rep.size != fc.sizes[i] {
			c.Errorf("%s: status %d with %d bytes, want %d with %d", fc.reqs[i].target, rep.status, rep.size, fc.status[i], fc.sizes[i])
		}
	}
}

// leadingLines: a server should ignore empty lines before a request line (RFC
// 9112 section 2.2), as nginx does.
func leadingLines(c *tcase, s *server) {
	conn := s.dial(c, "")
	c.exchange(conn, &request{target: "/ok"})
	r := &request{target: "/ok"}
	start := conn.writeAll(c, "\r\n"+r.head(conn.host))
	rep := conn.read(c, r)
	rep.start = start
	c.file(conn, r, rep)
}

// tunnelled leaves HTTP and then sends what looks like HTTP through the tunnel:
// it must not become a span.
func tunnelled(c *tcase, s *server, r *request, want int) {
	conn := s.dial(c, "")
	r.adjust = func(e *expect) {
		e.path, e.query = strings.TrimPrefix(e.path, "db.example"), ""
		e.respBody, e.reqBody, e.endOpen, e.fault = size{}, size{}, true, faultAny
		if r.method == http.MethodConnect {
			e.path, e.serverAddr, e.serverPort = "", "", 0
		}
	}
	if rep := c.exchange(conn, r); rep.status != want {
		c.Fatalf("status %d, want %d", rep.status, want)
	}
	ghost := "GET /ghost HTTP/1.1\r\nHost: x\r\n\r\n\x81\x05hello"
	for range 3 {
		conn.writeAll(c, ghost)
		back := make([]byte, len(ghost))
		if _, err := io.ReadFull(conn.in, back); err != nil || string(back) != ghost {
			c.Fatalf("the tunnel returned %q, %v", back, err)
		}
	}
}

func bodyRequests() []*request {
	return []*request{
		{method: http.MethodPost, target: "/echo?1", body: pattern(300)},
		{target: "/ok?2"},
		{method: http.MethodPost, target: "/echo?3", body: pattern(900), chunked: true, trailer: true},
		{method: http.MethodHead, target: "/size/700?4"},
		{target: "/chunked/600?5"},
		{target: "/ok?6"},
	}
}

func pipelinedBodies(c *tcase, s *server) { pipelineBy(c, s, 1<<20) }

// pipelinedPieces splits the same bytes with no regard to message boundaries.
func pipelinedPieces(c *tcase, s *server) { pipelineBy(c, s, 61) }

func pipelineBy(c *tcase, s *server, piece int) {
	conn := s.dial(c, "")
	reqs := bodyRequests()
	var wire strings.Builder
	for _, r := range reqs {
		r.target += fmt.Sprintf("&by=%d", piece)
		wire.WriteString(r.head(conn.host) + r.payload())
	}
	written := make(chan error, 1)
	start := make(chan struct{})
	go func() {
		close(start)
		written <- conn.writePieces(wire.String(), piece)
	}()
	<-start
	for _, r := range reqs {
		rep := conn.read(c, r)
		r.adjust = func(e *expect) { e.start = time.Time{} }
		c.file(conn, r, rep)
	}
	if err := <-written; err != nil {
		c.Fatal(err)
	}
}
