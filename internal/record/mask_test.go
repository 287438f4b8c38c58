// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/redact"
)

// canary is in every place that a recording must not show.
const canary = "CaNaRy"

// step is what moved in one direction before the other one did.
type step struct {
	dir  event.Dir
	text string
}

func recv(s string) step { return step{event.Recv, s} }
func send(s string) step { return step{event.Send, s} }

// conversations have canaries wherever no span shows anything.
func conversations() map[string][]step {
	const ok = "HTTP/1.1 200 CaNaRy\r\nContent-Length: 9\r\nX-A: CaNaRy\r\n\r\nxxCaNaRyx"
	return map[string][]step{
		"fields": {recv("GET / HTTP/1.1\r\nHost: shown\r\nCookie: CaNaRy\r\nAuthorization: Basic CaNaRy\r\nX-CaNaRy: 1\r\n\r\n"), send(ok)},
		"folded": {recv("GET / HTTP/1.1\r\nHost: shown\r\nX-A: 1\r\n CaNaRy\r\n\tCaNaRy\r\nUser-Agent: shown\r\n\r\n"), send(ok)},
		"query":  {recv("GET /p?token=CaNaRy&a=shown&x[password]=CaNaRy;b=CaNaRy&api%5Fkey=CaNaRy HTTP/1.1\r\n\r\n"), send(ok)},
		"user":   {recv("GET http://CaNaRy:CaNaRy@shown/p?sig=CaNaRy HTTP/1.1\r\n\r\n"), send(ok)},
		"length": {
			recv("POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\nCaNaRyGET /CaNaRy HTTP/1.1\r\nHost: CaNaRy1"), send(ok),
			recv("GET /shown HTTP/1.1\r\n\r\n"), send(ok),
		},
		"chunked": {
			recv("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6;e=CaNaRy\r\nCaNaRy\r\n0\r\nX-CaNaRy: CaNaRy\r\n\r\n"), send(ok),
			recv("GET /shown HTTP/1.1\r\n\r\n"), send(ok),
		},
		"pipelined": {recv("GET /shown1 HTTP/1.1\r\n\r\nPOST /shown2 HTTP/1.1\r\nContent-Length: 6\r\n\r\nCaNaRyGET /shown3 HTTP/1.1\r\nX: CaNaRy\r\n\r\n"), send(ok + ok + ok)},
		"head":      {recv("HEAD / HTTP/1.1\r\n\r\n"), send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), recv("GET /shown HTTP/1.1\r\n\r\n"), send(ok)},
		"continue": {
			recv("PUT / HTTP/1.1\r\nExpect: CaNaRy\r\nContent-Length: 27\r\n\r\n"), send("HTTP/1.1 100 CaNaRy\r\n\r\n"),
			recv("GET /CaNaRy CaNaRy: CaNaRy\n"), send(ok),
		},
		"close":      {recv("GET / HTTP/1.0\r\n\r\n"), send("HTTP/1.0 200 OK\r\n\r\nCaNaRy"), send("CaNaRy")},
		"upgrade":    {recv("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), send("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\nCaNaRy"), recv("GET /CaNaRy HTTP/1.1\r\nHost: CaNaRy\r\n\r\n")},
		"http2":      {recv("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nCaNaRy"), send("CaNaRy")},
		"no HTTP":    {recv("CaNaRy: CaNaRy\r\n"), send("CaNaRy CaNaRy")},
		"bare lines": {recv("GET / HTTP/1.1\nHost: shown\nX-A: CaNaRy\n\n"), send("HTTP/1.1 204 CaNaRy\nX-B:CaNaRy\n\n")},
		"client":     {send("POST /shown?code=CaNaRy HTTP/1.1\r\nHost: shown\r\nContent-Length: 6\r\n\r\nCaNaRy"), recv(ok)},
		"space":      {recv("GET /a CaNaRy?token=CaNaRy HTTP/1.1\r\n\r\n"), send(ok)},
		"CONNECT":    {recv("CONNECT CaNaRy@shown:1 HTTP/1.1\r\n\r\n"), send("HTTP/1.1 200 OK\r\n\r\nCaNaRy"), recv("CaNaRy")},
	}
}

// call is a record before it is encoded.
type call struct {
	dir     event.Dir
	bytes   string
	flags   uint32
	turn    uint16
	pos     uint64
	capture int
}

// calls cuts a conversation into calls of at most n bytes.
func calls(steps []step, n int) (all []call) {
	var pos [2]uint64
	turn := uint16(0)
	for _, s := range steps {
		turn++
		flags := uint32(event.DataTurn)
		if startsLikeHead(s.text) {
			flags |= event.DataHead
		}
		for text := s.text; text != ""; {
			piece := text[:min(n, len(text))]
			text = text[len(piece):]
			all = append(all, call{s.dir, piece, flags, turn, pos[s.dir], len(piece)})
			pos[s.dir] += uint64(len(piece))
			flags = 0
		}
	}
	return all
}

func startsLikeHead(s string) bool {
	method, rest, _ := strings.Cut(s, " ")
	return strings.HasPrefix(s, "HTTP/") || strings.ToUpper(method) == method && rest != "" && !strings.Contains(method, ":")
}

func (c call) record(t testing.TB) []byte {
	t.Helper()
	w := event.WireData{
		Conn: 1, Pos: c.pos, Total: uint32(len(c.bytes)), Captured: uint32(c.capture),
		Flags: c.flags, Dir: uint16(c.dir), Turn: c.turn,
	}
	if c.capture < len(c.bytes) {
		var tail [8]byte
		copy(tail[:], c.bytes[max(0, len(c.bytes)-8):])
		w.Tail = binary.LittleEndian.Uint64(tail[:])
		w.Flags |= event.DataTail
	}
	return encode(t, event.KindData, w, c.bytes[:c.capture])
}

func encode(t testing.TB, kind event.Kind, wire any, payload string) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := binary.Write(&buf, binary.LittleEndian, wire); err != nil {
		t.Fatal(err)
	}
	buf.WriteString(payload)
	b := buf.Bytes()
	binary.LittleEndian.PutUint16(b, event.Version)
	binary.LittleEndian.PutUint16(b[2:], uint16(kind))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	return b
}

func newTestMasker() *Masker { return NewMasker([]string{"X-Kept"}, redact.DefaultNames(), 16, 99) }

// mask masks calls and returns what stays of each direction, and the records.
func mask(t testing.TB, all []call) (streams [2]string, raw []byte) {
	t.Helper()
	m := newTestMasker()
	for _, c := range all {
		b := c.record(t)
		if err := m.Mask(b); err != nil {
			t.Fatal(err)
		}
		var e event.Data
		if err := e.Decode(b); err != nil {
			t.Fatal(err)
		}
		streams[c.dir] += string(e.Payload)
		raw = append(raw, b...)
	}
	return streams, raw
}

// heard is what a parser makes of a stream.
type heard struct{ text strings.Builder }

func (h *heard) Head(head *httpparse.Head) httpparse.Method {
	fmt.Fprintf(&h.text, "%s %d length %d chunked %v close %v upgrade %v\n", head.Method, head.Status, head.ContentLength, head.Chunked, head.Close, head.Upgrade)
	for _, f := range head.Fields() {
		switch strings.ToLower(string(f.Name)) {
		case "host", "user-agent", "traceparent", "x-kept":
			fmt.Fprintf(&h.text, "  %s: %s\n", f.Name, f.Value)
		}
	}
	return httpparse.MethodOther
}

func (h *heard) End(e httpparse.End) { fmt.Fprintf(&h.text, "end %+v\n", e) }
func (h *heard) Desync()             { h.text.WriteString("desync\n") }

func parse(kind httpparse.Kind, stream string) string {
	var h heard
	p := httpparse.New(kind, httpparse.Limits{})
	p.Feed([]byte(stream), &h)
	p.EOF(&h)
	return h.text.String()
}

// TestMask looks for canaries in what is recorded of conversations, cut into
// calls of every size, and has a parser find the same messages as before.
func TestMask(t *testing.T) {
	for name, steps := range conversations() {
		t.Run(name, func(t *testing.T) {
			var whole [2]string
			for _, s := range steps {
				whole[s.dir] += s.text
			}
			for n := 1; n <= 200; n++ {
				streams, raw := mask(t, calls(steps, n))
				for d, got := range streams {
					found := strings.ReplaceAll(got, "X-"+canary, "") // a name that comes in pieces
					if strings.Contains(found, canary) || n >= 200 && bytes.Contains(raw, []byte(canary)) {
						t.Fatalf("calls of %d bytes: %q shows what it must not", n, got)
					}
					if len(got) != len(whole[d]) {
						t.Fatalf("calls of %d bytes: %d bytes became %d", n, len(whole[d]), len(got))
					}
				}
				if n < 32 { // calls that are shorter than a look tell no heads
					continue
				}
				for d, got := range streams {
					kind := httpparse.Request
					if strings.HasPrefix(whole[d], "HTTP/") {
						kind = httpparse.Response
					}
					if name != "http2" && name != "no HTTP" && name != "upgrade" && name != "CONNECT" && name != "space" && parse(kind, got) != parse(kind, whole[d]) {
						t.Fatalf("calls of %d bytes:\n%q\nparses as\n%s\nand not as\n%s", n, got, parse(kind, got), parse(kind, whole[d]))
					}
				}
			}
		})
	}
}

func TestMaskKeeps(t *testing.T) {
	head := "GET /p?a=shown HTTP/1.1\r\nHost: shown.test\r\nUser-Agent: shown/1\r\nx-kept: shown\r\nTraceparent: 00-1-2-3\r\nX-B3-TraceId: 12\r\nX-Request-Id: 7\r\n\r\n"
	got, _ := mask(t, calls([]step{recv(head), send("HTTP/1.1 204 No\r\n\r\n")}, 1000))
	if got[event.Recv] != head {
		t.Errorf("%q became %q", head, got[event.Recv])
	}
	if want := "HTTP/1.1 204 xx\r\n\r\n"; got[event.Send] != want {
		t.Errorf("%q, want %q", got[event.Send], want)
	}
}

// TestMaskAfterLoss drops records: what is left shows no more than before.
func TestMaskAfterLoss(t *testing.T) {
	for name, steps := range conversations() {
		if name == "continue" || name == "upgrade" { // what looks like a request, behind a head that was lost, is one to spans as well
			continue
		}
		for seed := range uint64(300) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			var kept []call
			for _, c := range calls(steps, 20+rnd.IntN(100)) {
				if rnd.IntN(3) == 0 {
					continue
				}
				if rnd.IntN(4) == 0 { // the budget is spent
					c.capture = rnd.IntN(len(c.bytes))
				}
				kept = append(kept, c)
			}
			streams, _ := mask(t, kept)
			for _, got := range streams {
				if strings.Contains(strings.ReplaceAll(got, "X-"+canary, ""), canary) {
					t.Fatalf("%s, seed %d: %q shows what it must not", name, seed, got)
				}
			}
		}
	}
}

func TestMaskTail(t *testing.T) {
	for tail, want := range map[string]string{
		"secretxx": "xxxxxxxx", "t\r\n0\r\n\r\n": "x\r\n0\r\n\r\n", "cre\r\n\r\n": "xxx\r\n\r\n", "0\r\n\r\n": "0\r\n\r\n",
		"\r\n\r\nabcd": "xxxxxxxx", "abc0\r\n\r\n": "xxx0\r\n\r\n", "": "",
	} {
		b := []byte(tail)
		maskTail(b)
		if string(b) != want {
			t.Errorf("%q became %q, want %q", tail, b, want)
		}
	}
}

func TestMaskConn(t *testing.T) {
	w := event.WireConn{Conn: 1, Family: event.FamilyUnix, Self: 0xffff888812345678, Peer: 0xffff888812345679, PathLen: 5}
	copy(w.Path[:], "/run\x00"+canary)
	b := encode(t, event.KindConn, w, "")
	if err := newTestMasker().Mask(b); err != nil {
		t.Fatal(err)
	}
	var e event.Conn
	if err := e.Decode(b); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(canary)) || e.Path != "/run" {
		t.Errorf("path %q, record %q", e.Path, b)
	}
	if e.Self == w.Self || e.Self^e.Peer != 1 {
		t.Errorf("addresses %x and %x: the kernel's, or no longer told apart", e.Self, e.Peer)
	}
}

// TestMaskBounded remembers no more connections than it may.
func TestMaskBounded(t *testing.T) {
	m := newTestMasker()
	for id := range uint64(100) {
		c := call{bytes: "GET / HTTP/1.1\r\nX: " + canary, flags: event.DataHead | event.DataTurn, turn: 1, capture: 25}
		b := c.record(t)
		binary.LittleEndian.PutUint64(b[16:], id)
		if err := m.Mask(b); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(canary)) {
			t.Fatalf("connection %d: %q", id, b)
		}
	}
	if len(m.conns) > m.limit {
		t.Errorf("%d connections remembered, at most %d", len(m.conns), m.limit)
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("GET /?token=a HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), uint16(7))
	f.Fuzz(func(t *testing.T, text []byte, cuts uint16) {
		rnd := rand.New(rand.NewPCG(uint64(cuts), 1))
		m := newTestMasker()
		var pos [2]uint64
		for turn := uint16(1); len(text) > 0; turn += uint16(rnd.IntN(2)) {
			n := 1 + rnd.IntN(len(text))
			d := event.Dir(turn % 2)
			c := call{d, string(text[:n]), uint32(rnd.IntN(32)) &^ (event.DataUnseen | event.DataTail | event.DataQuiet), turn, pos[d], rnd.IntN(n + 1)}
			pos[d] += uint64(n)
			text = text[n:]
			if err := m.Mask(c.record(t)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
