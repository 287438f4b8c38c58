// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestReverseProxy traces nginx as a proxy in front of a server that is not
// selected: of each exchange one process tells both halves. nginx passes the
// trace header on untouched, so that the span of its call is a child of the
// request's, and not of whom the header names.
func TestReverseProxy(t *testing.T) {
	block := suite.NewPorts(t)
	port := block.Take(t)
	th := newTheme(t, agentOptions{args: []string{"--port", fmt.Sprint(port)}})
	upstream := startGo(t, "upstream", suite.NewPorts(t).Take(t))
	dir := suite.WorkDir(t)
	for _, keep := range []bool{false, true} {
		name := map[bool]string{false: "a connection each", true: "kept connections"}[keep]
		t.Run(name, func(t *testing.T) {
			proxy := run(t, "nginx", port, nginxProxy(t, dir, port, upstream.port, keep))
			for _, r := range []request{
				{target: "/ok?a=1"}, {target: "/missing"}, {target: "/fail"}, {target: "/size/1048576"}, {target: "/empty"},
				{target: "/chunked/600"}, {method: http.MethodHead, target: "/size/1000"},
				{method: http.MethodPost, target: "/echo", body: pattern(300000)},
				{method: http.MethodPost, target: "/echo?chunks", body: pattern(3000), chunked: true},
			} {
				th.send(t, name+" "+r.method+r.target, func(c *tcase) { proxied(c, proxy, upstream, &r, keep) })
			}
			th.send(t, name+" in parallel", func(c *tcase) {
				var group sync.WaitGroup
				for i := range 20 {
					group.Go(func() { proxied(c, proxy, upstream, &request{target: fmt.Sprintf("/ok?i=%d", i)}, keep) })
				}
				group.Wait()
			})
			proxy.Stop()
		})
	}
	th.finish(t)
	requireBelow(t, th.agent.sink.Spans())
}

// requireBelow requires that every call is a child of a request in its trace.
func requireBelow(t *testing.T, spans []otlptest.Span) {
	t.Helper()
	requests, calls := map[string]bool{}, 0
	for _, s := range spans {
		if s.Kind == otlptest.Server {
			requests[s.TraceID+s.SpanID] = true
		}
	}
	for _, s := range spans {
		if s.Kind != otlptest.Client {
			continue
		}
		calls++
		if !requests[s.TraceID+s.Parent] {
			t.Errorf("its parent is no request in its trace: %s", &s)
		}
	}
	if calls == 0 {
		t.Error("no call was seen")
	}
}

// nginxProxy is an nginx that passes everything on to a port of 127.0.0.1.
func nginxProxy(t *testing.T, dir string, port, upstream int, keep bool) *exec.Cmd {
	t.Helper()
	conf := render(t, "proxy.conf.tmpl", dir, map[string]any{"Dir": dir, "Port": port, "Upstream": upstream, "Keep": keep})
	return exec.Command("/usr/sbin/nginx", "-e", "stderr", "-p", filepath.Dir(conf), "-c", conf)
}

// proxied makes one exchange through the proxy and files both halves.
func proxied(c *tcase, proxy, upstream *server, r *request, keep bool) {
	c.Helper()
	through(c, proxy.dial(c, ""), upstream, r, keep)
}

// through is proxied on a connection to the proxy.
func through(c *tcase, conn *rawConn, upstream *server, r *request, keep bool) {
	c.Helper()
	rep := c.exchange(conn, r)
	server := r.truth(&rawConn{Conn: noConn{}, server: upstream})
	client := &expect{
		kind: otlptest.Client, traceID: r.ids[0], parent: r.ids[1], anyParent: true, method: server.method, path: server.path, query: server.query,
		status: rep.status, version: map[bool]string{false: "1.0", true: "1.1"}[keep], userAgent: server.userAgent,
		reqBody: server.reqBody, respBody: ifPresent(rep.size), serverAddr: "127.0.0.1", serverPort: upstream.port,
		peerAddr: "127.0.0.1", peerPort: upstream.port, end: rep.end,
	}
	if r.method == http.MethodHead {
		client.respBody = noBody()
	}
	c.expect(client)
}

// noConn is a connection that has no addresses to tell.
type noConn struct{ net.Conn }

func (noConn) LocalAddr() net.Addr { return nil }
