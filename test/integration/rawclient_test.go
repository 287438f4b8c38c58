// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// rawConn is a client connection that sends exact bytes and measures what
// comes back. It belongs to the test process, which no agent selects.
type rawConn struct {
	net.Conn
	in     *bufio.Reader
	server *server
	host   string // value of the Host field
}

// dial connects to s, by its own address or by host if that is not empty.
func (s *server) dial(t testing.TB, host string) *rawConn {
	t.Helper()
	network, addr := "unix", s.unix
	if s.unix == "" {
		if host == "" {
			host = "127.0.0.1"
		}
		network, addr = "tcp", net.JoinHostPort(host, fmt.Sprint(s.port))
	}
	conn, err := net.DialTimeout(network, addr, 10*time.Second)
	if err != nil {
		t.Fatalf("dial %s: %v", s.name, err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return newRawConn(conn, s)
}

// newRawConn wraps a connection to s.
func newRawConn(conn net.Conn, s *server) *rawConn {
	c := &rawConn{Conn: conn, in: bufio.NewReaderSize(conn, 16<<10), server: s, host: conn.RemoteAddr().String()}
	if s.unix != "" {
		c.host = "localhost"
	}
	return c
}

// request is one request to send. The zero value of every field is a default.
type request struct {
	method  string // GET
	target  string
	version string // 1.1
	fields  []string
	body    string
	chunked bool   // send body in chunks of 700 bytes
	trailer bool   // ... and with a trailer field
	expect  bool   // send Expect: 100-continue and wait for it
	root    bool   // send no traceparent
	ignore  bool   // send a traceparent that is not sampled
	trace   string // trace id to send; empty: a new one
	state   string // tracestate
	last    bool   // put traceparent after all other fields
	rename  string // field name to use for traceparent
	noHost  bool   // send no Host field
	path    string // expected url.path, if not the target's
	query   string // expected url.query, if not the target's
	pieces  int    // bytes per write of the head; 0: all in one
	adjust  func(*expect)
	ids     [2]string // trace id and span id sent; chosen by head
}

// head renders the request head and chooses the ids.
func (r *request) head(host string) string {
	if r.method == "" {
		r.method = http.MethodGet
	}
	if r.version == "" {
		r.version = "1.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\n", r.method, r.target, r.version)
	if !r.noHost {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	var trace string
	if !r.root {
		r.ids = [2]string{newID(16), newID(8)}
		name := "traceparent"
		if r.rename != "" {
			name = r.rename
		}
		if r.trace != "" {
			r.ids[0] = r.trace
		}
		flags := map[bool]string{false: "01", true: "00"}[r.ignore]
		trace = fmt.Sprintf("%s: 00-%s-%s-%s\r\n", name, r.ids[0], r.ids[1], flags)
	}
	if r.state != "" {
		trace += "tracestate: " + r.state + "\r\n"
	}
	if !r.last {
		b.WriteString(trace)
	}
	b.WriteString("User-Agent: raw/1\r\n")
	for _, f := range r.fields {
		b.WriteString(f + "\r\n")
	}
	switch {
	case r.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	case r.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	if r.expect {
		b.WriteString("Expect: 100-continue\r\n")
	}
	if r.last {
		b.WriteString(trace)
	}
	return b.String() + "\r\n"
}

// payload renders the body as it goes over the wire.
func (r *request) payload() string {
	if !r.chunked {
		return r.body
	}
	var b strings.Builder
	for rest := r.body; rest != ""; {
		piece := rest[:min(700, len(rest))]
		rest = rest[len(piece):]
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(piece), piece)
	}
	b.WriteString("0\r\n")
	if r.trailer {
		b.WriteString("X-Trailer: done\r\n")
	}
	return b.String() + "\r\n"
}

// reply is what came back for one request.
type reply struct {
	status  int
	interim int // 1xx responses before it
	size    int64
	sha256  string
	body    string // if at most 64 KiB
	chunked bool
	trailer http.Header
	start   time.Time
	end     time.Time
}

// exchange sends r, reads the reply and files the expectation.
func (c *tcase) exchange(conn *rawConn, r *request) *reply {
	c.Helper()
	start := conn.write(c, r)
	rep := conn.read(c, r)
	rep.start = start
	c.file(conn, r, rep)
	return rep
}

// write sends the request and returns the time just before its first byte.
func (conn *rawConn) write(t testing.TB, r *request) time.Time {
	t.Helper()
	head := r.head(conn.host)
	start := time.Now()
	var err error
	switch {
	case r.pieces > 0:
		err = conn.writePieces(head, r.pieces)
		if err == nil && r.body != "" {
			_, err = io.WriteString(conn, r.payload())
		}
	case r.expect:
		_, err = io.WriteString(conn, head)
		conn.awaitContinue(t)
		if err == nil {
			_, err = io.WriteString(conn, r.payload())
		}
	default:
		_, err = io.WriteString(conn, head+r.payload())
	}
	if err != nil {
		t.Fatalf("write %s %s to %s: %v", r.method, r.target, conn.server.name, err)
	}
	return start
}

func (conn *rawConn) writePieces(s string, n int) error {
	for s != "" {
		k := min(n, len(s))
		if _, err := io.WriteString(conn, s[:k]); err != nil {
			return err
		}
		s = s[k:]
	}
	return nil
}

func (conn *rawConn) awaitContinue(t testing.TB) {
	t.Helper()
	line, err := conn.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%s answered Expect: 100-continue with %q, %v", conn.server.name, line, err)
	}
	for line != "\r\n" { // JDK's server adds a field
		if line, err = conn.in.ReadString('\n'); err != nil {
			t.Fatalf("%s: read 100 Continue: %v", conn.server.name, err)
		}
	}
}

// read reads the response to r, interim responses included.
func (conn *rawConn) read(t testing.TB, r *request) *reply {
	t.Helper()
	rep := &reply{}
	for {
		resp, err := http.ReadResponse(conn.in, &http.Request{Method: r.method})
		if err != nil {
			t.Fatalf("%s: read response to %s %s: %v", conn.server.name, r.method, r.target, err)
		}
		if resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols {
			rep.interim++
			continue
		}
		rep.status = resp.StatusCode
		rep.chunked = len(resp.TransferEncoding) > 0
		if r.method == http.MethodConnect && resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			rep.end = time.Now()
			return rep
		}
		rep.drain(t, resp)
		return rep
	}
}

func (rep *reply) drain(t testing.TB, resp *http.Response) {
	t.Helper()
	sum := sha256.New()
	var keep limitedBuffer
	n, err := io.Copy(io.MultiWriter(sum, &keep), resp.Body)
	rep.end = time.Now()
	if err != nil {
		t.Fatalf("read body after %d bytes: %v", n, err)
	}
	rep.size, rep.sha256, rep.body = n, hex.EncodeToString(sum.Sum(nil)), string(keep)
	rep.trailer = resp.Trailer
}

// limitedBuffer keeps the first 64 KiB.
type limitedBuffer []byte

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := 64<<10 - len(*b); room > 0 {
		*b = append(*b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// file records what the SERVER span of r must say.
func (c *tcase) file(conn *rawConn, r *request, rep *reply) {
	e := r.truth(conn)
	e.status, e.start, e.end = rep.status, rep.start, rep.end
	e.brisk = rep.size <= 1<<20 && !strings.HasPrefix(r.target, "/stream")
	e.respBody = exactly(rep.size)
	if rep.chunked && rep.size > 1024 {
		e.respBody = ifPresent(rep.size) // framing bytes need not all be seen
	}
	if r.method == http.MethodHead || rep.status == http.StatusNoContent || rep.status == http.StatusNotModified {
		e.respBody = noBody()
	}
	if r.adjust != nil {
		r.adjust(e)
	}
	c.expect(e)
}

// truth is the expectation as far as the request alone decides it.
func (r *request) truth(conn *rawConn) *expect {
	e := &expect{
		kind: otlptest.Server, traceID: r.ids[0], parent: r.ids[1], state: r.state,
		method: r.method, version: r.version, userAgent: "raw/1", path: r.path, query: r.query,
		serverPort: conn.server.port, pids: conn.server.pids,
	}
	if u, err := url.ParseRequestURI(r.target); err == nil && r.method != http.MethodConnect {
		if e.path == "" {
			e.path = u.EscapedPath()
		}
		if e.query == "" {
			e.query = u.RawQuery
		}
	}
	e.reqBody = noBody()
	if r.body != "" {
		e.reqBody = exactly(int64(len(r.body)))
		if r.chunked && len(r.body) > 4096 {
			e.reqBody = ifPresent(int64(len(r.body)))
		}
	}
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		e.peerAddr, e.peerPort = local.IP.String(), local.Port
		e.serverAddr = conn.RemoteAddr().(*net.TCPAddr).IP.String()
	}
	return e
}

// pattern is the body that the test applications answer /size and /chunked with.
func pattern(n int) string {
	return strings.Repeat("abcdefghijklmnopqrstuvwxyz", n/26+1)[:n]
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// writeAll sends wire in one write and returns the time before it.
func (conn *rawConn) writeAll(t testing.TB, wire string) time.Time {
	t.Helper()
	start := time.Now()
	if _, err := io.WriteString(conn, wire); err != nil {
		t.Fatalf("write to %s: %v", conn.server.name, err)
	}
	return start
}
