// SPDX-License-Identifier: Apache-2.0

//go:build hostc

package conn

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/event"
)

// programs is a mirror that has the BPF programs of a backend, compiled for the
// host (bpf/host/play.c), do what the model does, and compares every record.
type programs struct {
	t       testing.TB
	rnd     *rand.Rand
	in      io.WriteCloser
	out     *bufio.Scanner
	opened  map[uint64]bool
	ids     map[uint64]uint64 // the programs' connection ids -> the model's
	records []any             // of the model, since the last command
	ring    strings.Builder   // what became of them: "x" lost
	quiet   map[quietKey]at   // the programs' progress entries
}

// startPrograms starts the program that HOSTC names a directory of.
func startPrograms(t *testing.T, backend string) *programs {
	t.Helper()
	path := filepath.Join(os.Getenv("HOSTC"), "play-"+backend)
	cmd := exec.Command(path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s (make test-c builds it and sets HOSTC): %v", path, err)
	}
	p := &programs{in: in, out: bufio.NewScanner(out)}
	p.out.Buffer(nil, 1<<20)
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	})
	return p
}

// begin has the programs loaded anew.
func (p *programs) begin(t testing.TB, seed uint64, storage bool) {
	p.t, p.rnd = t, rand.New(rand.NewPCG(seed, 2))
	p.opened, p.ids = map[uint64]bool{}, map[uint64]uint64{}
	p.records = nil
	p.ring.Reset()
	kept := 0
	if storage {
		kept = 1
	}
	p.command(0, nil, "reset 1024 700 %d", kept)
}

func (p *programs) record(rec any, lost bool) {
	if lost {
		p.ring.WriteByte('x')
		return
	}
	p.ring.WriteByte('o')
	p.records = append(p.records, rec)
}

// flow returns what became of the records since the last command, as RING.
func (p *programs) flow() string {
	s := p.ring.String() + "."
	p.ring.Reset()
	return s
}

func (p *programs) call(c *simConn, d event.Dir, b []byte, seen bool) {
	buffers := "?"
	if seen {
		buffers = p.buffers(len(b))
	}
	p.open(c)
	p.command(c.id, c, "call %d %d %d %s %s %x", c.id, d, c.k.now, p.flow(), buffers, b)
	p.compareProgress(c, d)
}

func (p *programs) ended(c *simConn, d event.Dir) {
	p.open(c)
	p.command(c.id, c, "eof %d %d %d %s", c.id, d, c.k.now, p.flow())
}

func (p *programs) closed(c *simConn, err uint32) {
	p.open(c)
	p.command(c.id, c, "close %d %d %s %d", c.id, c.k.now, p.flow(), err)
}

func (p *programs) open(c *simConn) {
	if p.opened[c.id] {
		return
	}
	p.opened[c.id] = true
	family, fresh := event.FamilyInet, 0
	if c.unix {
		family = event.FamilyUnix
	}
	if c.fresh {
		fresh = 1
	}
	fmt.Fprintf(p.in, "open %d %d %d %d\n", c.id, family, fresh, c.k.now)
	records := p.answer()
	if len(records) != fresh {
		p.t.Fatalf("connection %d: %d records of its opening, want %d", c.id, len(records), fresh)
	}
	for _, b := range records {
		if kind, err := event.Peek(b); kind != event.KindOpen || err != nil {
			p.t.Fatalf("connection %d: record of kind %d of its opening: %v", c.id, kind, err)
		}
	}
}

// buffers cuts n bytes into the buffers of a call, some empty.
func (p *programs) buffers(n int) string {
	if p.rnd.IntN(2) == 0 {
		return "-"
	}
	var lens []string
	for range p.rnd.IntN(8) {
		m := p.rnd.IntN(n + 1)
		if p.rnd.IntN(3) == 0 {
			m = min(n, p.rnd.IntN(12))
		}
		lens = append(lens, fmt.Sprint(m))
		n -= m
	}
	lens = append(lens, fmt.Sprint(n))
	if p.rnd.IntN(2) == 0 { // a buffer that was not filled
		lens[len(lens)-1] = fmt.Sprint(n + 100)
	}
	return strings.Join(lens, ",")
}

// command gives the programs something to do and compares what they tell.
func (p *programs) command(id uint64, c *simConn, format string, args ...any) {
	p.t.Helper()
	fmt.Fprintf(p.in, format+"\n", args...)
	records := p.answer()
	want := p.records
	p.records = nil
	if len(records) != len(want) {
		p.t.Fatalf("connection %d: %d records, the model has %d\n%.200s", id, len(records), len(want), fmt.Sprintf(format, args...))
	}
	for i, b := range records {
		if got, model := p.describe(b), describeModel(want[i]); got != model {
			p.t.Fatalf("connection %d, record %d:\n got %s\nwant %s\nof %.200s", id, i, got, model, fmt.Sprintf(format, args...))
		}
	}
}

// answer reads the records up to the line with a dot.
func (p *programs) answer() (records [][]byte) {
	p.t.Helper()
	p.quiet = map[quietKey]at{}
	for p.out.Scan() {
		kind, rest, _ := strings.Cut(p.out.Text(), " ")
		switch kind {
		case ".":
			return records
		case "data":
			b, err := hex.DecodeString(rest)
			if err != nil {
				p.t.Fatal(err)
			}
			records = append(records, b)
		case "progress":
			var conn, dir uint64
			var a at
			if _, err := fmt.Sscan(rest, &conn, &dir, &a.pos, &a.ktime); err != nil {
				p.t.Fatal(err)
			}
			p.quiet[quietKey{p.ids[conn], event.Dir(dir)}] = a
		default:
			p.t.Fatalf("unexpected: %s", p.out.Text())
		}
	}
	p.t.Fatalf("the programs ended: %v", p.out.Err())
	return nil
}

// compareProgress compares the entry of the direction that just moved.
func (p *programs) compareProgress(c *simConn, d event.Dir) {
	key := quietKey{c.id, d}
	got, want := p.quiet[key], c.k.progress[key]
	if (got.ktime == c.k.now || want.ktime == c.k.now) && got != want {
		p.t.Fatalf("connection %d, direction %d: progress %v, the model has %v", c.id, d, got, want)
	}
}

// describe decodes a record of the programs, with the model's connection id.
func (p *programs) describe(b []byte) string {
	kind, err := event.Peek(b)
	if err != nil {
		p.t.Fatal(err)
	}
	switch kind {
	case event.KindConn:
		var e event.Conn
		err = e.Decode(b)
		for id := range p.opened { // the only one that is not known yet, or is announced again
			if _, known := p.ids[e.ID]; !known {
				p.ids[e.ID] = id
			}
		}
		e.ID = p.ids[e.ID]
		e.Self, e.Peer = 0, 0 // addresses of this process
		return describeModel(&e)
	case event.KindData:
		var e event.Data
		err = e.Decode(b)
		if e.Flags&event.DataEarly != 0 {
			e.Tail = [8]byte{}
		}
		e.Conn = p.ids[e.Conn]
		return describeModel(&e)
	case event.KindEOF, event.KindClose:
		e := ended{closed: kind == event.KindClose}
		err = e.Decode(b)
		e.Conn = p.ids[e.Conn]
		return describeModel(&e)
	}
	p.t.Fatalf("record of kind %d: %v", kind, err)
	return ""
}

func describeModel(rec any) string {
	if e, ok := rec.(*event.Data); ok && len(e.Payload) == 0 {
		same := *e
		same.Payload = nil
		rec = &same
	}
	return fmt.Sprintf("%T%+v", rec, rec)
}

func backends(t *testing.T, f func(t *testing.T, p *programs)) {
	for _, backend := range []string{"fentry", "sock_tracepoint", "syscall_tracepoint"} {
		t.Run(backend, func(t *testing.T) { f(t, startPrograms(t, backend)) })
	}
}

// TestModelIsThePrograms plays random connections through the model and the
// programs. What the other tests of this package prove with the model thus
// holds for the programs.
func TestModelIsThePrograms(t *testing.T) {
	backends(t, func(t *testing.T, p *programs) {
		for seed := range uint64(150) {
			p.begin(t, seed, seed%2 == 0)
			playWith(t, seed, int(seed%4)*50, p)
		}
	})
}

// TestModelIsTheProgramsOnNoise plays calls that make no sense together.
func TestModelIsTheProgramsOnNoise(t *testing.T) {
	backends(t, func(t *testing.T, p *programs) {
		for seed := range uint64(100) {
			p.begin(t, seed, seed%2 == 0)
			noise(t, seed, p)
		}
	})
}

// pieces are what calls of noise begin with.
func pieces() []string {
	return []string{
		"G", "GE", "GET", "GET ", "GET /", "GET / HTTP/1.1\r\n\r\n", "POST /x HTTP/1.1\r\nContent-Length: 30\r\n\r\n",
		"H", "HT", "HTTP", "HTTP/", "HTTP/1.1 200 OK\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n", "get /x", "get http://x", "GET HTTP://x", "OPTIONS * HTTP/1.1",
		" ", " /", "A /", "AB *", "abcdefghijklmnopqrstuvwx /", "ABCDEFGHIJKLMNOPQRSTUVW /", "a(b /x", "0\r\n\r\n", "\r\n0\r\n\r\n", "x\r\n0\r\n\r\n",
		"xx0\r\n\r\n", "CONNECX a:1", "\x16\x03\x01", "\xff\xff", "TRACE h", "DELETE Hx", "{\"a\": 1}", "SSH-2.0-x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}
}

func noise(t testing.TB, seed uint64, m mirror) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	k := newSimKernel(1024, 700)
	k.table, _ = newTestTable(t, k)
	k.mirror = m
	if seed%3 == 0 {
		k.lose = func() bool { return rnd.IntN(8) == 0 }
	}
	c := k.open(1)
	c.fresh, c.unix = seed%5 == 0, seed%7 == 0 && seed%5 != 0
	all := pieces()
	for range 60 {
		b := []byte(all[rnd.IntN(len(all))])
		switch rnd.IntN(4) {
		case 0:
			b = append(b, strings.Repeat("-", rnd.IntN(40))...)
		case 1:
			b = append(b, strings.Repeat("a", rnd.IntN(4000))...)
		case 2:
			b = append(b, all[rnd.IntN(len(all))]...)
		}
		if rnd.IntN(6) == 0 {
			b = append(b, "\r\n0\r\n\r\n"...)
		}
		d := event.Dir(rnd.IntN(2))
		for range 1 + rnd.IntN(7)/5*rnd.IntN(7) {
			c.call(d, b, rnd.IntN(10) != 0)
		}
	}
	c.close(uint32(seed % 2 * 104))
}
