// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestSockets covers kinds of sockets and of processes behind them.
func TestSockets(t *testing.T) {
	block := suite.NewPorts(t)
	early := startGo(t, "go", block.Take(t))
	open := early.dial(t, "")
	open.writeAll(t, "GET /ok?before HTTP/1.1\r\nHost: x\r\n\r\n")
	open.read(t, &request{method: "GET"})

	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}, protocol: otlptest.HTTP})
	th.send(t, "connection older than the agent", func(c *tcase) {
		for i := range 3 {
			c.exchange(open, &request{target: fmt.Sprintf("/ok?after=%d", i)})
		}
	})
	th.send(t, "first request of a new server", func(c *tcase) { firstRequest(c, block) })
	th.send(t, "IPv6 and dual stack", func(c *tcase) { dualStack(c, block) })
	th.send(t, "1000 connections", func(c *tcase) { thousand(c, startGo(c.T, "go", block.Take(c.T))) })
	th.send(t, "process per connection", func(c *tcase) { forked(c, startPython("1.1", "fork")(c.T, "python fork", block.Take(c.T))) })
	th.send(t, "apache prefork", func(c *tcase) {
		port := block.Take(c.T)
		forked(c, run(c.T, "apache prefork", port, apache(c.T, "prefork", port)))
	})
	th.send(t, "port reuse", func(c *tcase) { portReuse(c, block.Take(c.T)) })
	th.send(t, "client port reuse", func(c *tcase) { clientPortReuse(c, early, block.Take(c.T)) })
	th.finish(t)
}

// firstRequest: a process that starts listening later is covered from its
// first request on, which follows its listen call at once.
func firstRequest(c *tcase, block *suite.Ports) {
	for i := range 5 {
		port := block.Take(c.T)
		p := suite.Launch(c.T, "go", exec.Command(suite.Program("webserver"), fmt.Sprintf("127.0.0.1:%d", port)))
		s := (&server{Process: p, name: "go", port: port}).single()
		suite.WaitListening(c.T, p, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		c.exchange(s.dial(c, ""), &request{target: fmt.Sprintf("/ok?first=%d", i)})
	}
}

// dualStack reaches a server on [::] over both families: an IPv4 peer is
// reported as IPv4, not as a mapped address.
func dualStack(c *tcase, block *suite.Ports) {
	port := block.Take(c.T)
	p := suite.Launch(c.T, "go", exec.Command(suite.Program("webserver"), fmt.Sprintf("[::]:%d", port)))
	s := (&server{Process: p, name: "go", port: port}).single()
	suite.WaitListening(c.T, p, "tcp", fmt.Sprintf("[::1]:%d", port))
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn := s.dial(c, host)
		for i := range 2 {
			c.exchange(conn, &request{target: fmt.Sprintf("/ok?over=%s&i=%d", host, i)})
		}
	}
}

// thousand holds 1000 connections open, with a request in flight on each.
func thousand(c *tcase, s *server) {
	const n = 1000
	conns := make([]*rawConn, n)
	reqs := make([]*request, n)
	for i := range conns {
		conns[i] = s.dial(c, "")
	}
	for i, conn := range conns {
		reqs[i] = &request{target: fmt.Sprintf("/barrier/%d?i=%d", n, i)}
		conn.write(c, reqs[i])
		// A thousand requests at once are read late, and answered early.
		reqs[i].adjust = func(e *expect) { e.start, e.end = time.Time{}, time.Time{} }
	}
	for i, conn := range conns {
		rep := conn.read(c, reqs[i])
		if rep.body != "open\n" {
			c.Fatalf("connection %d: status %d, body %q", i, rep.status, rep.body)
		}
		c.file(conn, reqs[i], rep)
	}
}

// forked sends two requests on each of ten connections to a server whose
// connections are served by processes that did not exist when it was selected.
func forked(c *tcase, s *server) {
	for i := range 10 {
		conn := s.dial(c, "")
		for j := range 2 {
			if rep := c.exchange(conn, &request{target: fmt.Sprintf("/ok?conn=%d&i=%d", i, j)}); rep.status != 200 {
				c.Errorf("status %d", rep.status)
			}
		}
		conn.Close()
	}
}

// portReuse replaces the server behind a port by another program, twice.
func portReuse(c *tcase, port int) {
	for i, start := range []func(*testing.T, string, int) *server{startGo, startPython("1.1", "thread"), startGo} {
		s := start(c.T, fmt.Sprintf("generation %d", i), port)
		conn := s.dial(c, "")
		c.exchange(conn, &request{target: fmt.Sprintf("/ok?generation=%d", i)})
		c.exchange(conn, &request{target: "/missing"})
		conn.Close()
		s.Kill()
	}
}

// clientPortReuse opens connections with one and the same pair of ports, so
// that only the kernel's socket tells them apart. The client's port is not one
// that the kernel chooses: such a one may be shared with a connection that lingers.
func clientPortReuse(c *tcase, s *server, port int) {
	dialer := dialFrom(port)
	for i := range 20 {
		conn, err := dialer.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			c.Fatal(err)
		}
		raw := newRawConn(conn, s)
		c.exchange(raw, &request{target: fmt.Sprintf("/size/%d?same=%d", 100+i, i)})
		// A reset leaves no TIME_WAIT behind that would keep the port.
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
			c.Fatal(err)
		}
		conn.Close()
	}
}

// TestUnixSockets selects servers that listen on unix sockets by their
// executables, and by pid.
func TestUnixSockets(t *testing.T) {
	dir := suite.WorkDir(t)
	web := copyProgram(t, suite.Program("webserver"), dir)
	nginxPath := copyProgram(t, "/usr/sbin/nginx", dir)
	path := filepath.Join(dir, "gunicorn.sock")
	guni := suite.Launch(t, "gunicorn", gunicorn(t, "unix:"+path))
	suite.WaitListening(t, guni, "unix", path)

	th := newTheme(t, agentOptions{args: []string{"--exe", dir + "/*", "--pid", family(t, guni, 2)}})
	servers := []*server{{Process: guni, name: "gunicorn", unix: path}}
	start := func(name string, processes int, cmd *exec.Cmd, path string) {
		var p *suite.Process
		th.agent.selecting(t, processes, func() { p = suite.Launch(t, name, cmd) })
		suite.WaitListening(t, p, "unix", path)
		servers = append(servers, &server{Process: p, name: name, unix: path})
	}
	start("go", 1, exec.Command(web, "unix:"+dir+"/go.sock"), dir+"/go.sock")
	start("go abstract", 1, exec.Command(web, "unix:@"+filepath.Base(dir)), "@"+filepath.Base(dir))
	cmd := nginx(t, "unix:"+dir+"/nginx.sock")
	cmd.Path = nginxPath
	start("nginx", 3, cmd, dir+"/nginx.sock") // two of them workers
	for _, s := range servers {
		for _, r := range []request{
			{target: "/ok"}, {target: "/missing?x=1"}, {target: "/ok?root=" + strings.ReplaceAll(s.name, " ", ""), root: true},
			{method: "HEAD", target: "/size/1000"}, {target: "/size/1048576"}, {target: "/empty"},
		} {
			th.send(t, s.name+" "+r.target, func(c *tcase) { c.exchange(s.dial(c, ""), &r) })
		}
		th.send(t, s.name+" keep-alive", func(c *tcase) { keepAlive(c, s) })
	}
	th.finish(t)
}

// TestBothEnds selects client and server: each tells its own half of the
// exchange, over TCP and over a unix socket.
func TestBothEnds(t *testing.T) {
	dir := suite.WorkDir(t)
	web, curl := copyProgram(t, suite.Program("webserver"), dir), copyProgram(t, "/usr/bin/curl", dir)
	th := newTheme(t, agentOptions{args: []string{"--exe", dir + "/*"}, protocol: otlptest.HTTP})
	port, path := suite.NewPorts(t).Take(t), filepath.Join(dir, "web.sock")
	th.agent.acquaint(t, curl, "-K", "-")
	var s *server
	th.agent.selecting(t, 1, func() {
		s = run(t, "go", port, exec.Command(web, fmt.Sprintf("127.0.0.1:%d", port), "unix:"+path)).single()
	})
	suite.WaitListening(t, s.Process, "unix", path)
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	th.send(t, "TCP", func(c *tcase) { bothEnds(c, curl, base, "/size/1000") })
	th.send(t, "unix socket", func(c *tcase) { bothEnds(c, curl, "http://localhost", "/size/1000", "--unix-socket", path) })
	th.finish(t)
}

// bothEnds runs curl and expects a span of either kind. Whether the server's
// span hangs below the client's or beside it is another matter than this one.
func bothEnds(c *tcase, curl, base, target string, args ...string) {
	trace, parent := newID(16), newID(8)
	args = append(args, "-s", "-H", fmt.Sprintf("traceparent: 00-%s-%s-01", trace, parent), base+target)
	out, err := exec.Command(curl, args...).Output()
	if err != nil || string(out) != pattern(1000) {
		c.Fatalf("curl: %d bytes, %v", len(out), err)
	}
	for _, kind := range []otlptest.Kind{otlptest.Client, otlptest.Server} {
		c.expect(&expect{kind: kind, traceID: trace, parent: parent, anyParent: kind == otlptest.Server, method: "GET",
			path: target, status: 200, version: "1.1", reqBody: noBody(), respBody: exactly(1000)})
	}
}

// family waits until p has n children and returns all their pids and its own,
// as an argument of --pid.
func family(t *testing.T, p *suite.Process, n int) string {
	t.Helper()
	var pids []string
	suite.Poll(t, 10*time.Second, fmt.Sprintf("%s has %d children", p.Name, n), func() bool {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.PID(), p.PID()))
		if err != nil {
			t.Fatal(err)
		}
		pids = strings.Fields(string(data))
		return len(pids) >= n
	})
	return strings.Join(append(pids, strconv.Itoa(p.PID())), ",")
}

// TestSelectByPid traces one of two equal servers.
func TestSelectByPid(t *testing.T) {
	block := suite.NewPorts(t)
	chosen, other := startPython("1.1", "fork")(t, "chosen", block.Take(t)), startPython("1.1", "fork")(t, "other", block.Take(t))
	th := newTheme(t, agentOptions{args: []string{"--pid", strconv.Itoa(chosen.PID())}})
	th.send(t, "chosen", func(c *tcase) { forked(c, chosen) })
	for range 10 {
		conn := other.dial(t, "")
		conn.write(t, &request{target: "/ok?other"})
		conn.read(t, &request{method: "GET"})
	}
	th.finish(t)
}

// dialFrom returns a dialer that connects from a port of 127.0.0.1. A port that a
// block hands out may have connections that linger (TIME_WAIT).
func dialFrom(port int) *net.Dialer {
	return &net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
		Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			if failed := c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			}); failed != nil {
				return failed
			}
			return err
		},
	}
}
