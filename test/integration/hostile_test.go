// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// attack is input that is not well-formed HTTP. It is sent to a server that
// reads everything and answers random bytes, and to a real HTTP server.
type attack struct {
	name string
	wire []string // one write each
}

func attacks() []attack {
	const tail = "Host: x\r\n\r\n"
	return []attack{
		{"random bytes", randomWrites(200, 3000)},
		{"short random writes", randomWrites(2000, 9)},
		{"random after a method", prefixed("GET ", randomWrites(50, 500))},
		{"TLS records", []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\xa5", 508)}},
		{"redis", []string{"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n", "*1\r\n$4\r\nPING\r\n"}},
		{"postgres", []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f", "\x00\x00\x00\x15\x00\x03\x00\x00user\x00postgres\x00\x00"}},
		{"HTTP/2 preface", []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"}},
		{"smtp", []string{"EHLO example\r\n", "MAIL FROM:<a@example>\r\n", "QUIT\r\n"}},
		{"request line without end", []string{"GET /" + strings.Repeat("a", 4<<20)}},
		{"head without end", repeated("GET /endless HTTP/1.1\r\n", "X-More: "+strings.Repeat("y", 1000)+"\r\n", 8000)},
		{"100000 fields", repeated("GET /fields HTTP/1.1\r\n", strings.Repeat("a: b\r\n", 1000), 100)},
		{"field name of 1 MiB", []string{"GET /name HTTP/1.1\r\n" + strings.Repeat("n", 1<<20) + ": v\r\n" + tail}},
		{"negative length", []string{"POST /neg HTTP/1.1\r\nContent-Length: -5\r\n" + tail}},
		{"huge length", []string{"POST /huge HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n" + tail, "x"}},
		{"two lengths", []string{"POST /two HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n" + tail + "hello!"}},
		{"length and chunked", []string{"POST /smuggle HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n" + tail + "0\r\n\r\nGET /second HTTP/1.1\r\n" + tail}},
		{"bad chunk sizes", []string{"POST /chunk HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + tail + "zz\r\nhello\r\n", "ffffffffffffffffff\r\n"}},
		{"chunk extension without end", repeated("POST /ext HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"+tail+"5;", strings.Repeat("e", 1000), 2000)},
		{"trailers without end", repeated("POST /trailers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"+tail+"0\r\n", "X-Trailer: "+strings.Repeat("t", 1000)+"\r\n", 2000)},
		{"bare CR and NUL", []string{"GET /nul\x00 HTTP/1.1\rHost: x\r\r\n\n\r\x00"}},
		{"odd versions", []string{"GET / HTTP/9.9\r\n" + tail, "GET / HTTP/1.999999\r\n" + tail, "GET /\r\n"}},
		{"responses to nobody", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 999 \r\n\r\n"}},
		{"hostile traceparent", []string{"GET /ok?tp HTTP/1.1\r\nTraceparent: 00-zz-" + strings.Repeat("-", 5000) + "\r\ntracestate: " + strings.Repeat(",=", 2000) + "\r\n" + tail}},
	}
}

func randomWrites(n, size int) []string {
	rng := rand.New(rand.NewPCG(1, uint64(size)))
	out := make([]string, n)
	for i := range out {
		b := make([]byte, 1+rng.IntN(size))
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		out[i] = string(b)
	}
	return out
}

func prefixed(prefix string, writes []string) []string {
	for i := range writes {
		writes[i] = prefix + writes[i]
	}
	return writes
}

func repeated(first, piece string, n int) []string {
	out := []string{first}
	for range n {
		out = append(out, piece)
	}
	return out
}

// TestHostile sends what no client should and requires of the agent that it
// lives, stays small, counts, invents no successful exchange, and traces proper
// requests on other connections all the while.
func TestHostile(t *testing.T) {
	block := suite.NewPorts(t)
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}})
	th.lossy = true
	web, garbage := startGo(t, "go", block.Take(t)), startRaw(t, "garbage", "garbage", block.Take(t))
	nginx := startNginx(t, "nginx", block.Take(t))
	before := th.badCount(t)
	for _, s := range []*server{garbage, web, nginx} {
		for _, a := range attacks() {
			t.Run("attack/"+s.name+"/"+a.name, func(t *testing.T) { a.launch(t, s) })
		}
		th.send(t, "meanwhile "+s.name, func(c *tcase) { keepAlive(c, web); keepAlive(c, nginx) })
	}
	t.Run("attack/many endless heads", func(t *testing.T) { endlessHeads(t, garbage) })
	t.Run("attack/tls", func(t *testing.T) { tlsTraffic(t, block) })
	th.send(t, "afterwards", func(c *tcase) { keepAlive(c, web); keepAlive(c, nginx) })
	th.checkUnharmed(t, before)
	th.finishAfterAttack(t, garbage)
}

// launch sends one attack and takes whatever comes back.
func (a attack) launch(t *testing.T, s *server) {
	conn := s.dial(t, "")
	received := make(chan struct{})
	go func() {
		defer close(received)
		io.Copy(io.Discard, conn)
	}()
	for _, w := range a.wire {
		if _, err := io.WriteString(conn, w); err != nil {
			break // a real server may well end such a connection
		}
	}
	conn.Conn.(*net.TCPConn).CloseWrite()
	select {
	case <-received:
	case <-time.After(2 * time.Second):
	}
	conn.Close()
	<-received
	if !s.Alive() {
		t.Fatalf("%s died", s.name)
	}
}

// endlessHeads holds 300 connections whose heads never end, each at 16 KiB.
func endlessHeads(t *testing.T, s *server) {
	conns := make([]*rawConn, 300)
	for i := range conns {
		conns[i] = s.dial(t, "")
		conns[i].writeAll(t, fmt.Sprintf("GET /endless?%d HTTP/1.1\r\n", i))
	}
	field := "X-Filler: " + strings.Repeat("z", 1010) + "\r\n"
	for range 16 {
		for _, conn := range conns {
			conn.writeAll(t, field)
		}
	}
}

// tlsTraffic is a real TLS conversation with a selected process: no span.
func tlsTraffic(t *testing.T, block *suite.Ports) {
	s := startRaw(t, "not TLS", "garbage", block.Take(t))
	conn := s.dial(t, "")
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("random bytes completed a TLS handshake")
	}
}

// badCount is how much the agent has counted as not understood.
func (th *theme) badCount(t *testing.T) float64 {
	t.Helper()
	if trafficOnly() {
		return 0
	}
	series := th.agent.scrape(t)
	bad, _ := sum(series, badSeries)
	return bad
}

func (th *theme) checkUnharmed(t *testing.T, before float64) {
	t.Helper()
	if trafficOnly() {
		return
	}
	if !th.agent.Alive() {
		t.Fatalf("the agent died: %v\n%s", th.agent.Err(), suite.Tail(th.agent.Out.String(), 8000))
	}
	now, peak := th.agent.rss(t)
	t.Logf("RSS %d MiB, peak %d MiB", now>>20, peak>>20)
	if peak > rssLimit {
		t.Errorf("peak RSS %d MiB, want at most %d", peak>>20, rssLimit>>20)
	}
	if after := th.badCount(t); after <= before {
		t.Errorf("no counter of malformed input moved (%v before, %v after); metrics: %v",
			before, after, sortedKeys(th.agent.scrape(t)))
	}
	if log := th.agent.Out.String(); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		t.Errorf("the agent's log tells of a panic:\n%s", suite.Tail(log, 8000))
	}
}

// finishAfterAttack compares the proper requests exactly. Of the attacks,
// which requests a server took for real is its own matter (nginx answers many
// with 400), so their spans are only required to be of bounded size, and those of
// the server that never answered HTTP must not tell of an answer.
func (th *theme) finishAfterAttack(t *testing.T, silent *server) {
	t.Helper()
	if trafficOnly() {
		th.finish(t)
		return
	}
	th.await(t)
	metrics := th.lastWords(t)
	th.agent.shutdown(t)
	problems := th.compare(th.agent.sink.Spans())
	delete(problems, unexpected)
	for _, label := range sortedKeys(problems) {
		t.Run("spans/"+label, func(t *testing.T) {
			for _, p := range problems[label] {
				t.Error(p)
			}
		})
	}
	if len(problems) > 0 {
		t.Logf("the agent's metrics before it was stopped:\n%s", metrics)
	}
	for _, s := range th.agent.sink.Spans() {
		if s.Resource["process.pid"] == int64(silent.PID()) && (s.Has("http.response.status_code") || s.Str("error.type") == "") {
			t.Errorf("random bytes were taken for an answer: %s", &s)
		}
		if n := len(s.String()); n > 64<<10 {
			t.Errorf("a span of %d bytes was exported", n)
		}
	}
}
