// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

const (
	get      = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	ok       = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	chunked  = "Transfer-Encoding: chunked\r\n\r\n"
	lastOnly = "0\r\n\r\n"
)

// scenario is a sequence of socket calls of a server, and what comes of it.
type scenario struct {
	name string
	run  func(c *simConn)
	want []string // as seenExchange.String
	stat func(Stats) bool
}

func body(n int) []byte { return []byte(strings.Repeat("x", n)) }

func scenarios() []scenario {
	r := func(c *simConn, s string) { c.recv([]byte(s)) }
	s := func(c *simConn, t string) { c.send([]byte(t)) }
	return []scenario{
		{name: "keep-alive", run: func(c *simConn) { r(c, get); s(c, ok); r(c, get); s(c, ok) },
			want: []string{"GET / 200 req=0 resp=2 outcome=0", "GET / 200 req=0 resp=2 outcome=0"}},
		{name: "pipelining", run: func(c *simConn) { r(c, get+get+get); s(c, ok+ok); s(c, ok) },
			want: []string{"GET / 200 req=0 resp=2 outcome=0", "GET / 200 req=0 resp=2 outcome=0", "GET / 200 req=0 resp=2 outcome=0"}},
		{name: "chunked beyond the budget", run: func(c *simConn) {
			r(c, get)
			s(c, "HTTP/1.1 200 OK\r\n"+chunked)
			for range 10 {
				s(c, "2000\r\n"+string(body(8192))+"\r\n")
			}
			s(c, lastOnly)
		}, want: []string{"GET / 200 req=0 resp=-1 outcome=1"}},
		{name: "chunked with trailers beyond the budget", run: func(c *simConn) {
			r(c, get)
			s(c, "HTTP/1.1 200 OK\r\n"+chunked+"2000\r\n"+string(body(8192))+"\r\n0\r\nX-T: v\r\n\r\n")
			r(c, get)
			s(c, ok)
		}, want: []string{"GET / 200 req=0 resp=-1 outcome=1", "GET / 200 req=0 resp=2 outcome=0"}},
		{name: "upload", run: func(c *simConn) {
			r(c, "PUT /f HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
			for range 10 {
				c.recv(body(10000))
			}
			s(c, ok)
		}, want: []string{"PUT /f 200 req=100000 resp=2 outcome=0"}},
		{name: "100-continue", run: func(c *simConn) {
			r(c, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")
			s(c, "HTTP/1.1 100 Continue\r\n\r\n")
			r(c, "abc")
			s(c, ok)
		}, want: []string{"POST / 200 req=-1 resp=2 outcome=0"}}, // "abc" is held back: it may start a request
		{name: "no bodies", run: func(c *simConn) {
			r(c, "HEAD / HTTP/1.1\r\n\r\n")
			s(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
			r(c, get)
			s(c, "HTTP/1.1 204 N\r\n\r\n")
			r(c, get)
			s(c, "HTTP/1.1 304 N\r\nContent-Length: 99\r\n\r\n")
		}, want: []string{"HEAD / 200 req=0 resp=0 outcome=0", "GET / 204 req=0 resp=0 outcome=0", "GET / 304 req=0 resp=0 outcome=0"}},
		{name: "upgrade", run: func(c *simConn) {
			r(c, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
			s(c, "HTTP/1.1 101 Switching\r\n\r\n")
			r(c, get)
			s(c, ok)
		}, want: []string{"GET /ws 101 req=0 resp=0 outcome=0"}, stat: func(s Stats) bool { return s.Tunnels == 1 }},
		{name: "tunnel", run: func(c *simConn) {
			r(c, "CONNECT a:443 HTTP/1.1\r\n\r\n")
			s(c, "HTTP/1.1 200 OK\r\n\r\n")
			r(c, get)
		}, want: []string{"CONNECT a:443 200 req=0 resp=0 outcome=0"}, stat: func(s Stats) bool { return s.Tunnels == 1 && s.Requests == 1 }},
		{name: "until close", run: func(c *simConn) { r(c, "GET / HTTP/1.0\r\n\r\n"); s(c, "HTTP/1.0 200 OK\r\n\r\nabc"); c.close(0) },
			want: []string{"GET / 200 req=0 resp=3 outcome=0"}},
		{name: "client abort", run: func(c *simConn) { r(c, get); c.eof(event.Recv); c.close(0) },
			want: []string{"GET / 0 req=0 resp=-1 outcome=2"}},
		{name: "server crash", run: func(c *simConn) { r(c, get); s(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"); c.close(0) },
			want: []string{"GET / 200 req=0 resp=3 outcome=3"}},
		{name: "crash within the head", run: func(c *simConn) { r(c, get); s(c, "HTTP/1.1 200 OK\r\nConte"); c.close(0) },
			want: []string{"GET / 0 req=0 resp=-1 outcome=2"}},
		{name: "request cut", run: func(c *simConn) { r(c, "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"); c.close(0) },
			want: []string{"PUT / 0 req=-1 resp=-1 outcome=4"}},
		{name: "reset", run: func(c *simConn) { r(c, get); c.close(uint32(unix.ECONNRESET)) },
			want: []string{"GET / 0 req=0 resp=-1 outcome=5"}},
		{name: "one byte at a time", run: func(c *simConn) {
			c.split(event.Recv, []byte(strings.Replace(get, "GET", "HEAD", 1)), 1)
			c.split(event.Send, []byte(ok[:len(ok)-2]), 1)
		}, want: []string{"HEAD / 200 req=0 resp=0 outcome=0"}},
		{name: "HTTP/2", run: func(c *simConn) { r(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); r(c, get); s(c, ok) },
			stat: func(s Stats) bool { return s.HTTP2 == 1 && s.Requests == 0 }},
		{name: "garbage first", run: func(c *simConn) { r(c, "see /etc/hosts\n"); s(c, "\x00\x01"); r(c, get); s(c, ok) },
			want: []string{"GET / 200 req=0 resp=2 outcome=0"}, stat: func(s Stats) bool { return s.Desyncs > 0 }},
		{name: "joined within a response", run: func(c *simConn) { s(c, "rest of a body"); r(c, get); s(c, ok) },
			want: []string{"GET / 200 req=0 resp=2 outcome=0"}},
		{name: "joined before a response", run: func(c *simConn) { s(c, ok); r(c, get); s(c, ok) },
			want: []string{"GET / 200 req=0 resp=2 outcome=0"}, stat: func(s Stats) bool { return s.Orphans == 1 }},
	}
}

func TestScenarios(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			k := newSimKernel(8192, 2048)
			table, rec := newTestTable(t, k)
			sc.run(k.open(1))
			balance(t, table, rec)
			var got []string
			for _, x := range rec.done {
				got = append(got, x.String())
			}
			if strings.Join(got, "\n") != strings.Join(sc.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(sc.want, "\n"))
			}
			if sc.stat != nil && !sc.stat(table.Stats()) {
				t.Errorf("unexpected counts: %+v", table.Stats())
			}
		})
	}
}

// TestProgress has a gigabyte pass of which the kernel tells by its progress map only.
func TestProgress(t *testing.T) {
	k := newSimKernel(8192, 2048)
	table, rec := newTestTable(t, k)
	c := k.open(1)
	c.recv([]byte(get))
	c.send(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 1<<30))
	block := body(1 << 16)
	var last uint64
	for i := range 1 << 14 {
		last = c.send(block)
		if i%1000 == 0 {
			table.Poll()
		}
	}
	if k.recordsOut > 10 {
		t.Errorf("%d records", k.recordsOut)
	}
	for range 2 {
		table.Poll()
	}
	balance(t, table, rec)
	if len(rec.done) != 1 || rec.done[0].x.RespBody != 1<<30 || rec.done[0].x.End != last {
		t.Fatalf("got %v, want a body of 1 GB that ends at %d", rec.done, last)
	}
	table.Poll()
	if len(table.quiet) != 0 || len(k.progress) != 0 {
		t.Errorf("%d directions still polled, %d progress entries left", len(table.quiet), len(k.progress))
	}
}

// TestOvertaken has a client's reader report before its writer.
func TestOvertaken(t *testing.T) {
	k := newSimKernel(8192, 2048)
	table, rec := newTestTable(t, k)
	c := k.open(1)
	c.fresh = true
	for range 3 {
		c.recv([]byte(ok))
		c.send([]byte(get))
	}
	balance(t, table, rec)
	if len(rec.done) != 3 || table.Stats().Overtaken != 3 || table.Stats().Orphans != 0 {
		t.Fatalf("%d done, %+v", len(rec.done), table.Stats())
	}
}

// TestLost loses one record of three exchanges at a time: the others are whole.
func TestLost(t *testing.T) {
	for lost := range 6 {
		k := newSimKernel(8192, 2048)
		table, rec := newTestTable(t, k)
		n := -1 // the connection's announcement
		k.lose = func() bool { n++; return n == lost+1 }
		c := k.open(1)
		for i := range 3 {
			c.recv(fmt.Appendf(nil, "GET /i/%d HTTP/1.1\r\n\r\n", i))
			c.send(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nX-I: %d\r\nContent-Length: 2\r\n\r\nok", i))
		}
		c.close(0)
		balance(t, table, rec)
		if len(rec.done) != 2 {
			t.Errorf("record %d lost: %d exchanges, want 2", lost, len(rec.done))
		}
		for _, s := range rec.done {
			if s.index == lost/2 || s.answer != s.index {
				t.Errorf("record %d lost: %v, paired with %d", lost, s, s.answer)
			}
		}
	}
}

// TestTwice hands every record over twice: the second time it is too late.
func TestTwice(t *testing.T) {
	k := newSimKernel(8192, 2048)
	table, rec := newTestTable(t, k)
	k.dup = func() bool { return len(rec.done) > 0 || len(rec.open) > 0 }
	c := k.open(1)
	for range 3 {
		c.recv([]byte(get))
		c.send([]byte(ok))
	}
	balance(t, table, rec)
	if len(rec.done) != 3 || table.Stats().Reordered != 6 {
		t.Fatalf("%d done, %+v", len(rec.done), table.Stats())
	}
}

// TestEviction bounds the table: the least recently used connection goes.
func TestEviction(t *testing.T) {
	k := newSimKernel(8192, 2048)
	table, rec := newTestTable(t, k)
	n := testLimits().Connections
	for i := range n + 5 {
		k.open(uint64(i + 1)).recv([]byte(get))
	}
	balance(t, table, rec)
	s := table.Stats()
	if s.OpenConnections != n || s.DroppedEvicted != 5 {
		t.Fatalf("%+v, want %d connections and 5 evicted", s, n)
	}
	if table.conns[5] != nil || table.conns[6] == nil {
		t.Error("not the oldest were evicted")
	}
}

// TestForgottenAndUsedAgain: a connection that was forgotten is traced again once
// the kernel was asked to announce what is in use; one that was not forgotten goes on.
func TestForgottenAndUsedAgain(t *testing.T) {
	k := newSimKernel(8192, 2048)
	table, rec := newTestTable(t, k)
	idle, busy := k.open(1), k.open(2)
	idle.unix = true
	exchange := func(c *simConn) {
		c.recv([]byte(get))
		c.send([]byte(ok))
	}
	exchange(idle)
	k.tick(uint64(time.Hour))
	busy.recv([]byte(get))
	table.Sweep(k.now)
	if n := table.Stats().OpenConnections; n != 1 {
		t.Fatalf("%d connections after the sweep, want 1", n)
	}
	busy.send([]byte(ok))
	exchange(idle)
	exchange(busy)
	balance(t, table, rec)
	if s := table.Stats(); s.Exchanges != 5-1 || s.UnknownConn != 0 || s.OpenConnections != 2 {
		t.Errorf("%+v, want 4 exchanges on 2 connections, no unknown slice", s)
	}
	for i := range testLimits().Connections { // displaces both
		exchange(k.open(uint64(10 + i)))
	}
	before := table.Stats().Exchanges
	exchange(busy) // nobody has asked for it yet
	table.Sweep(k.tick(recallEvery))
	exchange(busy)
	balance(t, table, rec)
	if s := table.Stats(); s.Exchanges != before+1 || s.UnknownConn != 2 {
		t.Errorf("%+v, want %d exchanges and 2 unknown slices", s, before+1)
	}
}

// TestCountedIsNotLost: the kernel only counts the bytes of a response that began
// before anybody looked. They are of no message, and not lost.
func TestCountedIsNotLost(t *testing.T) {
	k := newSimKernel(8192, 2048)
	table, rec := newTestTable(t, k)
	c, body := k.open(1), make([]byte, 40000)
	c.send(body)
	c.recv([]byte(get))
	for range 8 {
		c.send(body)
		table.Poll()
	}
	for range 2 {
		c.recv([]byte(get))
		c.send([]byte(ok))
	}
	balance(t, table, rec)
	if s := table.Stats(); s.LostBytes != 0 || s.Exchanges != 2 {
		t.Errorf("%+v, want no byte lost and 2 exchanges", s)
	}
}

// TestPipelineLimit gives up a connection with too many requests in flight.
func TestPipelineLimit(t *testing.T) {
	k := newSimKernel(16384, 2048)
	table, rec := newTestTable(t, k)
	k.open(1).recv([]byte(strings.Repeat(get, testLimits().Pipelined+10)))
	balance(t, table, rec)
	if s := table.Stats(); s.OpenExchanges != 0 || s.DroppedBroken != uint64(testLimits().Pipelined+10) {
		t.Fatalf("%+v", s)
	}
}

// TestSweep forgets idle unix connections. What waited for a response is
// dropped; a response that lasts until the close has ended.
func TestSweep(t *testing.T) {
	k := newSimKernel(8192, 2048)
	table, rec := newTestTable(t, k)
	tcp, waiting, closing := k.open(1), k.open(2), k.open(3)
	waiting.unix, closing.unix = true, true
	tcp.recv([]byte(get))
	waiting.recv([]byte(get))
	closing.recv([]byte(get))
	closing.send([]byte("HTTP/1.1 200 OK\r\n\r\nabc"))
	table.Sweep(k.now + uint64(time.Second))
	if n := table.Stats().OpenConnections; n != 3 {
		t.Fatalf("%d connections after a second, want 3", n)
	}
	table.Sweep(k.now + uint64(time.Hour))
	balance(t, table, rec)
	if n := table.Stats().OpenConnections; n != 1 {
		t.Fatalf("%d connections after an hour, want 1", n)
	}
	if len(rec.done) != 1 || rec.done[0].status != 200 || rec.done[0].x.Outcome > spanbuilder.Inferred {
		t.Fatalf("got %v, want the response that ends with the connection", rec.done)
	}
}

// TestLostTurns loses turns while the ends of a request and of its early answer
// are not known: bytes of others could be of either, only the turns tell.
func TestLostTurns(t *testing.T) {
	k := newSimKernel(64, 64)
	_, rec := newTestTable(t, k)
	c := k.open(1)
	chunk := "2000\r\n" + string(body(8192)) + "\r\n"
	c.recv([]byte("POST /i/0 HTTP/1.1\r\n" + chunked + chunk))
	c.recv([]byte(chunk + chunk))
	c.send([]byte("HTTP/1.1 200 OK\r\nX-I: 0\r\n" + chunked + chunk))
	c.send([]byte(chunk + chunk))
	k.lose = func() bool { return true }
	c.recv([]byte(lastOnly))
	c.send([]byte(lastOnly))
	c.recv([]byte("GET /i/1 HTTP/1.1\r\n\r\n"))
	c.send([]byte("HTTP/1.1 200 OK\r\nX-I: 1\r\nContent-Length: 0\r\n\r\n"))
	k.lose = nil
	c.recv([]byte("GET /i/2 HTTP/1.1\r\n\r\n"))
	c.send([]byte("HTTP/1.1 200 OK\r\nX-I: 2\r\nContent-Length: 0\r\n\r\n"))
	c.close(0)
	balance(t, k.table, rec)
	if len(rec.done) != 1 || rec.done[0].index != 2 || rec.done[0].answer != 2 {
		t.Errorf("done: %v; want the last alone, since when the first ended is not known", rec.done)
	}
}
