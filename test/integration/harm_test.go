// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// phases of a harm test: the same traffic without the agent, with it, and after it.
var phases = []string{"before", "during", "after"}

// dateField is what servers vary by themselves; Apache dates what it reflects.
var dateField = regexp.MustCompile(`(?m)^(Date|Last-Modified): [^\r\n]*\r$`)

// TestNoHarmToServers compares every byte that servers answer without the agent,
// under it, and after it ended. The connections are never retried: an error is harm.
func TestNoHarmToServers(t *testing.T) {
	block := suite.NewPorts(t)
	var servers []*server
	for _, a := range apps() {
		s := a.start(t, a.name, block.Take(t))
		s.feature = a.feature
		servers = append(servers, s)
	}
	got := inPhases(t, agentOptions{args: []string{"--port", block.Selector()}}, func(t *testing.T, digests map[string]string) {
		for _, s := range servers {
			for name, wire := range harmless(s) {
				digests[s.name+" "+name] = digest(t, conversation(t, s, wire), name == "echo")
			}
		}
	})
	got.compare(t)
}

// digests of all conversations, by phase.
type phased map[string]map[string]string

// inPhases runs traffic three times; the agent lives during the second.
func inPhases(t *testing.T, o agentOptions, traffic func(*testing.T, map[string]string)) phased {
	t.Helper()
	out := phased{}
	for _, phase := range phases {
		digests := map[string]string{}
		t.Run(phase, func(t *testing.T) {
			if phase == "during" {
				a := startAgent(t, o)
				defer a.shutdown(t)
			}
			traffic(t, digests)
		})
		out[phase] = digests
	}
	return out
}

func (p phased) compare(t *testing.T) {
	t.Helper()
	if trafficOnly() {
		t.Skip("TRACER_AGENT=off: the traffic ran, no agent was there to harm it")
	}
	want := p[phases[0]]
	if len(want) == 0 {
		t.Fatal("nothing was compared")
	}
	for _, phase := range phases[1:] {
		for name, digest := range p[phase] {
			if digest != want[name] {
				t.Errorf("%s: bytes %s the agent differ from those before it: %s, want %s", name, phase, digest, want[name])
			}
		}
		if len(p[phase]) != len(want) {
			t.Errorf("%d conversations %s, %d before", len(p[phase]), phase, len(want))
		}
	}
}

// harmless is what is sent to s, by name: each ends with a request to close.
// It is the same in every phase, down to the ids.
func harmless(s *server) map[string]string {
	const end = "GET /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	get := func(target string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: h\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
	}
	out := map[string]string{
		"close":  end,
		"error":  "GET /missing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"1 MiB":  "GET /size/1048576 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"broken": "NOT HTTP AT ALL\r\n\r\n",
	}
	if s.feature&canPipeline != 0 {
		out["pipelined"] = get("/ok") + get("/size/5000") + get("/empty") + "HEAD /size/1000 HTTP/1.1\r\nHost: h\r\n\r\n" + get("/missing") + end
	}
	if s.feature&canEcho != 0 {
		body := noise(3 << 20)
		out["echo"] = fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	return out
}

// noise is n bytes, the same ones every time.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return string(b)
}

// conversation sends wire and returns all bytes that come back.
func conversation(t *testing.T, s *server, wire string) []byte {
	t.Helper()
	conn := s.dial(t, "")
	defer conn.Close()
	sent := make(chan error, 1)
	go func() { sent <- conn.writePieces(wire, 40000) }()
	data, err := io.ReadAll(conn.in)
	if sendErr := <-sent; err != nil || sendErr != nil || len(data) == 0 {
		t.Errorf("%s: %d bytes came back: read %v, write %v", s.name, len(data), err, sendErr)
	}
	return dateField.ReplaceAll(data, []byte("$1: x\r"))
}

// digest sums data up. A single response can have its chunks undone first:
// where Apache cuts them depends on how its input happened to arrive.
func digest(t *testing.T, data []byte, unchunk bool) string {
	t.Helper()
	if !unchunk {
		return fmt.Sprintf("%d bytes %x", len(data), sha256.Sum256(data))
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%v %d bytes %x", resp.Header, len(body), sha256.Sum256(body))
}

// TestNoHarmToClients compares every byte that client programs send.
func TestNoHarmToClients(t *testing.T) {
	dir := suite.WorkDir(t)
	list := clients(t, dir)
	taker := newTaker(t)
	got := inPhases(t, agentOptions{args: []string{"--exe", dir + "/*"}}, func(t *testing.T, digests map[string]string) {
		for _, cl := range list {
			p := plan{
				{Method: "GET", URL: taker.url("/get?a=b")},
				{Method: "POST", URL: taker.url("/post"), Headers: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, Body: pattern(100000)},
				{Method: "PUT", URL: taker.url("/chunks"), Body: pattern(5000), Chunked: true},
				{Method: "DELETE", URL: taker.url("/last")},
			}
			for i, got := range cl.run(t, p) {
				if got.Error != "" || got.Status != 200 || got.SHA256 != sha(takerBody) {
					t.Errorf("%s: %s: outcome %+v", cl.name, p[i].URL, got)
				}
			}
			digests[cl.name] = taker.take()
		}
	})
	got.compare(t)
}

// taker is a server in the test process that keeps every byte it receives.
type taker struct {
	listener net.Listener
	conns    chan []byte // what each connection received, once it has ended
}

// takerBody is the body of its answers: long, and full of what looks like heads.
var takerBody = strings.Repeat("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 2000)

func newTaker(t *testing.T) *taker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tk := &taker{listener: l, conns: make(chan []byte, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go tk.serve(conn)
		}
	}()
	return tk
}

func (tk *taker) url(target string) string { return "http://" + tk.listener.Addr().String() + target }

func (tk *taker) serve(conn net.Conn) {
	defer conn.Close()
	var all bytes.Buffer
	srv := bufio.NewReader(io.TeeReader(conn, &all))
	for {
		req, err := http.ReadRequest(srv)
		if err != nil {
			break
		}
		if req.Header.Get("Expect") != "" {
			io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		io.Copy(io.Discard, req.Body)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(takerBody), takerBody)
	}
	tk.conns <- all.Bytes()
}

// take returns a digest of what the one connection of a client carried.
func (tk *taker) take() string {
	data := <-tk.conns
	return fmt.Sprintf("%d bytes %x", len(data), sha256.Sum256(data))
}
