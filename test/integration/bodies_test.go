// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

const gigabyte = 1 << 30

// TestBodies moves large bodies and checks their sizes, the times of streamed
// ones, and that the agent pays per message, not per byte: a few records and no
// memory for gigabytes.
func TestBodies(t *testing.T) {
	block := suite.NewPorts(t)
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}})
	web := startGo(t, "go", block.Take(t))
	files := startFiles(t, block.Take(t), gigabyte)
	th.send(t, "warm up", func(c *tcase) {
		c.exchange(web.dial(c, ""), &request{target: "/ok"})
		c.exchange(files.dial(c, ""), &request{target: "/ok"})
	})
	before := th.records(t)
	th.send(t, "1 GiB down", func(c *tcase) { download(c, web, "/zeros/"+strconv.Itoa(gigabyte), gigabyte) })
	th.send(t, "1 GiB up", func(c *tcase) { upload(c, web, gigabyte) })
	th.send(t, "1 GiB by sendfile", func(c *tcase) { download(c, files, "/huge", gigabyte) })
	th.send(t, "small file by sendfile", func(c *tcase) { download(c, files, "/size/1000", 1000) })
	th.send(t, "sendfile and more on one connection", func(c *tcase) { sendfileKeep(c, files) })
	th.checkCost(t, before)
	th.send(t, "slow upload", func(c *tcase) { slowUpload(c, web) })
	th.send(t, "slow reader", func(c *tcase) { slowReader(c, web) })
	th.finish(t)
}

// startFiles is nginx with sendfile and a sparse file /huge of the given size.
func startFiles(t *testing.T, port int, size int64) *server {
	t.Helper()
	cmd := nginx(t, fmt.Sprintf("127.0.0.1:%d", port))
	huge := filepath.Join(filepath.Dir(cmd.Args[len(cmd.Args)-1]), "files", "huge")
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, size); err != nil {
		t.Fatal(err)
	}
	return run(t, "nginx", port, cmd)
}

// records is how many records the kernel has sent to user space.
func (th *theme) records(t *testing.T) float64 {
	t.Helper()
	if trafficOnly() {
		return 0
	}
	n, series := sum(th.agent.scrape(t), recordSeries)
	if series == 0 {
		t.Error("no metric counts ring-buffer records")
	}
	return n
}

// checkCost bounds what three gigabytes may cost: a record per packet would be
// tens of thousands.
func (th *theme) checkCost(t *testing.T, before float64) {
	t.Helper()
	if trafficOnly() {
		return
	}
	n := th.records(t) - before
	if n > 2000 {
		t.Errorf("3 GiB of bodies cost %v records, want at most 2000", n)
	}
	now, peak := th.agent.rss(t)
	t.Logf("3 GiB of bodies cost %v records; RSS %d MiB, peak %d MiB", n, now>>20, peak>>20)
	if peak > rssLimit {
		t.Errorf("peak RSS %d MiB, want at most %d", peak>>20, rssLimit>>20)
	}
}

// bulk reads a response of n bytes without looking at them: hashing a gigabyte
// would take longer than moving it.
func (conn *rawConn) bulk(t testing.TB, r *request, want int64) *reply {
	t.Helper()
	resp, err := http.ReadResponse(conn.in, &http.Request{Method: r.method})
	if err != nil {
		t.Fatalf("read response to %s: %v", r.target, err)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 1<<20))
	if err != nil || n != want {
		t.Fatalf("%s: %d bytes, %v; want %d", r.target, n, err, want)
	}
	return &reply{status: resp.StatusCode, size: n, end: time.Now()}
}

func download(c *tcase, s *server, target string, n int64) {
	conn, r := s.dial(c, ""), &request{target: target}
	start := conn.write(c, r)
	rep := conn.bulk(c, r, n)
	rep.start = start
	c.file(conn, r, rep)
}

func upload(c *tcase, s *server, n int64) {
	conn := s.dial(c, "")
	r := &request{method: http.MethodPost, target: "/discard", fields: []string{fmt.Sprintf("Content-Length: %d", n)}}
	start := conn.writeAll(c, r.head(conn.host))
	block := make([]byte, 1<<20)
	for left := n; left > 0; left -= int64(len(block)) {
		if _, err := conn.Write(block); err != nil {
			c.Fatalf("%d bytes before the end: %v", left, err)
		}
	}
	rep := conn.read(c, r)
	rep.start = start
	if rep.body != fmt.Sprintf("%d\n", n) {
		c.Errorf("the server counted %q bytes, want %d", rep.body, n)
	}
	r.adjust = func(e *expect) { e.reqBody = exactly(n) }
	c.file(conn, r, rep)
}

// sendfileKeep: after payload that no probe could see, the next heads on the
// connection must still be recognised.
func sendfileKeep(c *tcase, s *server) {
	conn := s.dial(c, "")
	for i, target := range []string{"/size/1048576", "/ok", "/size/1000", "/missing", "/size/5000"} {
		c.exchange(conn, &request{target: fmt.Sprintf("%s?keep=%d", target, i)})
	}
}

// slowUpload sends a body over 750 ms: the span starts at the first byte.
func slowUpload(c *tcase, s *server) {
	conn := s.dial(c, "")
	r := &request{method: http.MethodPost, target: "/echo", fields: []string{"Content-Length: 400"}}
	start := conn.writeAll(c, r.head(conn.host))
	for range 4 {
		<-time.After(200 * time.Millisecond)
		conn.writeAll(c, pattern(100))
	}
	rep := conn.read(c, r)
	rep.start = start
	r.adjust = func(e *expect) { e.reqBody = exactly(400) }
	c.file(conn, r, rep)
}

// slowReader makes the server wait for room in its send buffer, again and
// again: partial writes and EAGAIN must be counted right.
func slowReader(c *tcase, s *server) {
	const n = 24 << 20
	conn, r := s.dial(c, ""), &request{target: fmt.Sprintf("/zeros/%d", n)}
	start := conn.write(c, r)
	<-time.After(600 * time.Millisecond)
	rep := conn.bulk(c, r, n)
	rep.start = start
	c.file(conn, r, rep)
}
