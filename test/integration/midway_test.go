// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// midway is an exchange that has begun when the agent starts, and ends under it.
type midway struct {
	name string
	conn *rawConn
	end  func(t *tcase)
}

// unless makes the request optional that ends a read in which the server's thread
// has been since before the agent came: a trampoline (fentry) tells the end of
// calls only whose beginning it saw. Python's threads wait in such reads, event loops
// do not.
func (m midway) unless(first bool) func(*expect) {
	blocked := m.conn.server.name == "python" && (m.name == "idle" || m.name == "response")
	return func(e *expect) { e.optional = first && blocked && os.Getenv("TRACER_BACKEND") == "fentry" }
}

// TestStartsMidway starts the agent while connections exist: idle, in the middle
// of a request body, in the middle of a response, before the response. What had
// begun is not told, for nobody saw its request; the next message is.
func TestStartsMidway(t *testing.T) {
	block := suite.NewPorts(t)
	var open []midway
	for _, s := range []*server{startGo(t, "go", block.Take(t)), startNode(t, "node", block.Take(t)), startPython("1.1", "thread")(t, "python", block.Take(t))} {
		open = append(open, idleMidway(t, s), uploadMidway(t, s, false), uploadMidway(t, s, true), answerMidway(t, s))
	}
	web, files := startGo(t, "web", block.Take(t)), startFiles(t, block.Take(t), bigBody)
	open = append(open, idleMidway(t, files), bodyMidway(t, files, "/huge", bigBody, 1), bodyMidway(t, files, "/huge", bigBody, 2), bodyMidway(t, files, "/size/1048576", 1<<20, 16),
		bodyMidway(t, web, fmt.Sprintf("/zeros/%d", bigBody), bigBody, 1), bodyMidway(t, web, fmt.Sprintf("/zeros/%d", bigBody), bigBody, 2))
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}})
	for _, m := range open {
		th.send(t, m.conn.server.name+" "+m.name, func(c *tcase) {
			m.end(c)
			for i := range 3 {
				c.exchange(m.conn, &request{target: fmt.Sprintf("/ok?after=%d", i), adjust: m.unless(i == 0)})
			}
		})
	}
	th.finish(t)
}

// idleMidway has had an exchange and waits for the next.
func idleMidway(t *testing.T, s *server) midway {
	conn, r := s.dial(t, ""), &request{target: "/ok?before"}
	conn.write(t, r)
	conn.read(t, r)
	return midway{"idle", conn, func(*tcase) {}}
}

// uploadMidway has sent half of a request body.
func uploadMidway(t *testing.T, s *server, chunked bool) midway {
	body := pattern(40000)
	r := &request{method: http.MethodPost, target: "/echo", body: body, chunked: chunked && s.name != "python"}
	conn := s.dial(t, "")
	wire := r.head(conn.host) + r.payload()
	sent := len(wire) / 2
	conn.writeAll(t, wire[:sent])
	conn.awaitRead(&tcase{T: t})
	return midway{map[bool]string{false: "request body", true: "request chunks"}[chunked], conn, func(c *tcase) {
		conn.writeAll(c, wire[sent:])
		if rep := conn.read(c, r); rep.body != body {
			c.Errorf("%d bytes came back, want the %d that were sent", rep.size, len(body))
		}
	}}
}

// answerMidway has read a part of a response that the server sends slowly.
func answerMidway(t *testing.T, s *server) midway {
	conn, r := s.dial(t, ""), &request{target: "/stream"}
	conn.write(t, r)
	if _, err := conn.in.Peek(100); err != nil {
		t.Fatal(err)
	}
	return midway{"response", conn, func(c *tcase) {
		if rep := conn.read(c, r); rep.size != 400 {
			c.Errorf("%d bytes, want 400", rep.size)
		}
	}}
}

// bigBody is more than what fits into the buffers of two sockets.
const bigBody = 32 << 20

// bodyMidway has read a part of a long response; the server waits until there is
// room for more. times is how often it was asked for, in one write: of many requests
// the server has not read all yet.
func bodyMidway(t *testing.T, s *server, target string, size int64, times int) midway {
	conn, r := s.dial(t, ""), &request{target: target}
	var wire strings.Builder
	for range times {
		wire.WriteString(r.head(conn.host))
	}
	conn.writeAll(t, wire.String())
	if _, err := conn.in.Peek(1000); err != nil {
		t.Fatal(err)
	}
	return midway{fmt.Sprintf("%d long responses", times), conn, func(c *tcase) {
		for range times {
			conn.bulk(c, r, size)
		}
	}}
}

// TestProxyMidway: the connections that a proxy keeps to the server behind it
// are traced too, although it opened them before the agent started.
func TestProxyMidway(t *testing.T) {
	port := suite.NewPorts(t).Take(t)
	upstream := startGo(t, "upstream", suite.NewPorts(t).Take(t))
	proxy := run(t, "nginx", port, nginxProxy(t, suite.WorkDir(t), port, upstream.port, true))
	var open []*rawConn
	for range 4 {
		conn, r := proxy.dial(t, ""), &request{target: "/ok?before"}
		conn.write(t, r)
		conn.read(t, r)
		open = append(open, conn)
	}
	th := newTheme(t, agentOptions{args: []string{"--port", fmt.Sprint(port)}})
	for i, conn := range open {
		th.send(t, fmt.Sprintf("connection %d", i), func(c *tcase) {
			for j := range 3 {
				through(c, conn, upstream, &request{target: fmt.Sprintf("/size/%d", 1000+j)}, true)
			}
		})
	}
	th.finish(t)
	requireBelow(t, th.agent.sink.Spans())
}
