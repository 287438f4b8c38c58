// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestFaults cuts exchanges short in every way. What was cut is still told,
// with error.type, and with a status only if a status line was sent.
func TestFaults(t *testing.T) {
	block := suite.NewPorts(t)
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}, protocol: otlptest.HTTP})
	web, py := startGo(t, "go", block.Take(t)), startPython("1.1", "thread")(t, "python", block.Take(t))
	raw := startRaw(t, "raw", "http", block.Take(t))
	for _, linger := range []bool{true, false} {
		how := map[bool]string{true: "by FIN", false: "by RST"}[linger]
		th.send(t, "client leaves before the answer "+how, func(c *tcase) { leave(c, web, "/hang", linger) })
		th.send(t, "client leaves during its upload "+how, func(c *tcase) { leaveUpload(c, web, linger) })
		th.send(t, "client leaves during the download "+how, func(c *tcase) { leaveDownload(c, web, linger) })
	}
	th.send(t, "client leaves in the head", func(c *tcase) { leaveHead(c, web) })
	th.send(t, "connections without a byte", func(c *tcase) {
		for range 20 {
			web.dial(c, "").Close()
		}
	})
	th.send(t, "server ends a body early", func(c *tcase) { cut(c, raw, "/short", 200) })
	th.send(t, "server answers nothing", func(c *tcase) { cut(c, raw, "/nothing", 0) })
	th.send(t, "server resets mid-response", func(c *tcase) { resetMid(c, raw) })
	th.send(t, "server crashes mid-response", func(c *tcase) {
		cut(c, startRaw(c.T, "crash", "http", block.Take(c.T)), "/crash", 200)
	})
	th.send(t, "server crashes before the response", func(c *tcase) {
		cut(c, startRaw(c.T, "crash", "http", block.Take(c.T)), "/crash-silent", 0)
	})
	th.send(t, "server killed with requests in flight", func(c *tcase) { killed(c, startGo(c.T, "victim", block.Take(c.T))) })
	th.send(t, "and then all is well", func(c *tcase) {
		keepAlive(c, web)
		keepAlive(c, py)
	})
	th.finish(t)
}

// leave sends a request whose answer never comes, and ends the connection.
func leave(c *tcase, s *server, target string, linger bool) {
	conn := s.dial(c, "")
	r := &request{target: target}
	start := conn.write(c, r)
	conn.awaitRead(c)
	hangUp(c, conn, linger)
	c.filePartial(conn, r, start, 0)
}

// awaitRead blocks until the server process has read all that conn sent: a
// reset would throw away what still waits in its socket.
func (conn *rawConn) awaitRead(t *tcase) {
	t.Helper()
	ours, theirs := conn.LocalAddr().(*net.TCPAddr).Port, conn.RemoteAddr().(*net.TCPAddr).Port
	// Fields: slot, local, remote, state, send queue:receive queue.
	row := regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: [0-9A-F]+:%04X [0-9A-F]+:%04X 01 [0-9A-F]+:([0-9A-F]+)`, theirs, ours))
	suite.Poll(t.T, 5*time.Second, conn.server.name+" reads the request", func() bool {
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		mapped, _ := os.ReadFile("/proc/net/tcp6") // of servers that listen on [::]; not there without IPv6
		found := row.FindSubmatch(append(table, mapped...))
		return found != nil && strings.Trim(string(found[1]), "0") == ""
	})
}

// hangUp closes a connection: in order, or by reset.
func hangUp(c *tcase, conn *rawConn, linger bool) {
	if !linger {
		if err := conn.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			c.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		c.Fatal(err)
	}
}

// filePartial records an exchange that was cut.
func (c *tcase) filePartial(conn *rawConn, r *request, start time.Time, status int) {
	e := r.truth(conn)
	e.status, e.fault = status, faultRequired
	e.start, e.reqBody, e.respBody = start, size{}, size{}
	c.expect(e)
}

func leaveUpload(c *tcase, s *server, linger bool) {
	conn := s.dial(c, "")
	r := &request{method: http.MethodPost, target: "/echo", fields: []string{"Content-Length: 10000"}}
	start := conn.writeAll(c, r.head(conn.host)+pattern(5000))
	conn.awaitRead(c)
	hangUp(c, conn, linger)
	c.filePartial(conn, r, start, 0)
}

func leaveDownload(c *tcase, s *server, linger bool) {
	conn := s.dial(c, "")
	r := &request{target: "/endless"}
	start := conn.write(c, r)
	if _, err := io.ReadFull(conn.in, make([]byte, 200000)); err != nil {
		c.Fatal(err)
	}
	hangUp(c, conn, linger)
	c.filePartial(conn, r, start, 200)
}

// leaveHead: no request was made, since its head never ended. Whether a span
// tells of the attempt is the agent's choice; if so it is an error.
func leaveHead(c *tcase, s *server) {
	conn := s.dial(c, "")
	r := &request{target: "/ok?half"}
	head := r.head(conn.host)
	start := conn.writeAll(c, head[:len(head)-10])
	conn.awaitRead(c)
	hangUp(c, conn, true)
	e := r.truth(conn)
	e.start, e.fault, e.optional = start, faultRequired, true
	e.status, e.reqBody, e.respBody = 0, size{}, size{}
	// A server that noticed may have answered 400.
	e.anyStatus = true
	c.expect(e)
}

// cut makes a request that the server ends short: status 0 if it sent none.
func cut(c *tcase, s *server, target string, status int) {
	conn, r := s.dial(c, ""), &request{target: target}
	start := conn.write(c, r)
	data, err := io.ReadAll(conn.in)
	if got := strings.HasPrefix(string(data), "HTTP/1.1 200"); got != (status == 200) {
		c.Errorf("got %q, %v; want a response: %v", data, err, status == 200)
	}
	c.filePartial(conn, r, start, status)
}

func resetMid(c *tcase, s *server) {
	conn, r := s.dial(c, ""), &request{target: "/reset"}
	start := conn.write(c, r)
	if line, err := conn.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
		c.Fatalf("status line %q, %v", line, err)
	}
	conn.writeAll(c, "x")
	if _, err := io.ReadAll(conn.in); err == nil {
		c.Error("the connection ended in order, want a reset")
	}
	c.filePartial(conn, r, start, 200)
}

// killed kills a server that has twenty requests in flight.
func killed(c *tcase, s *server) {
	type pending struct {
		conn  *rawConn
		r     *request
		start time.Time
	}
	var list []pending
	for i := range 20 {
		p := pending{conn: s.dial(c, ""), r: &request{target: fmt.Sprintf("/hang?i=%d", i)}}
		p.start = p.conn.write(c, p.r)
		list = append(list, p)
	}
	for _, p := range list {
		p.conn.awaitRead(c)
	}
	s.Kill()
	for _, p := range list {
		if _, err := p.conn.in.ReadByte(); err == nil {
			c.Error("a killed server answered")
		}
		c.filePartial(p.conn, p.r, p.start, 0)
	}
}

// TestClientFaults looks at the same faults from the client's side.
func TestClientFaults(t *testing.T) {
	dir := suite.WorkDir(t)
	curl := copyProgram(t, "/usr/bin/curl", dir)
	th := newTheme(t, agentOptions{args: []string{"--exe", curl}})
	th.agent.acquaint(t, curl, "-K", "-")
	outside := suite.NewPorts(t)
	raw := startRaw(t, "raw", "http", outside.Take(t))
	web := startGo(t, "go", outside.Take(t))
	th.send(t, "server ends a body early", func(c *tcase) { c.curlFault(curl, raw, "/short", 200, 18) })
	th.send(t, "server answers nothing", func(c *tcase) { c.curlFault(curl, raw, "/nothing", 0, 52) })
	th.send(t, "server crashes mid-response", func(c *tcase) {
		c.curlFault(curl, startRaw(c.T, "crash", "http", outside.Take(c.T)), "/crash", 200, 18)
	})
	th.send(t, "client times out", func(c *tcase) { c.curlFault(curl, web, "/hang", 0, 28) })
	th.finish(t)
}

// curlFault runs curl against a fault and checks curl's exit code.
func (c *tcase) curlFault(curl string, s *server, target string, status, code int) {
	c.Helper()
	trace, parent := newID(16), newID(8)
	err := exec.Command(curl, "-s", "-o", "/dev/null", "--max-time", "1", "-H", fmt.Sprintf("traceparent: 00-%s-%s-01", trace, parent),
		fmt.Sprintf("http://127.0.0.1:%d%s", s.port, target)).Run()
	if want := fmt.Sprintf("exit status %d", code); !strings.HasPrefix(errText(err), want) {
		c.Errorf("curl: %v, want %s", err, want)
	}
	c.expect(&expect{kind: otlptest.Client, traceID: trace, parent: parent, method: "GET", path: target, status: status,
		version: "1.1", fault: faultRequired, serverAddr: "127.0.0.1", serverPort: s.port,
		reqBody: noBody()})
}
