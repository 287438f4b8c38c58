// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// program is a fuzzed sequence of calls: text is fed, cut and interrupted as
// ops says, two bytes each: what to do, and how much.
type program struct {
	kind   Kind
	method Method
	lim    Limits
	text   []byte
}

func newProgram(mode uint8, text []byte) program {
	g := program{kind: Kind(mode & 1), method: Method(mode>>1&3) % 3, text: text}
	if mode&8 != 0 {
		g.lim = Limits{HeadBytes: 1, Fields: 2} // raised to the least
	}
	return g
}

// run feeds the text in pieces of the given lengths, over and over.
func (g program) run(lengths []byte) []string {
	p, r := newRecorded(g.kind, g.lim)
	r.method = g.method
	b, i := g.text, 0
	for len(b) > 0 {
		n := len(b)
		if len(lengths) > 0 {
			n = min(n, int(lengths[i%len(lengths)])+1)
			i++
		}
		piece := slices.Clone(b[:n])
		p.Feed(piece, r)
		clear(piece) // nothing may be kept
		b = b[n:]
	}
	p.EOF(r)
	return r.log
}

func addSeeds(f *testing.F) {
	for mode := range uint8(16) {
		for _, s := range seeds {
			f.Add(mode, []byte(s), []byte{0, 3, 17})
		}
	}
	for _, e := range readCorpus(f) {
		f.Add(uint8(e.kind), []byte(e.text), []byte{6})
	}
}

// seeds are short streams that reach every state.
var seeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\r\nPOST /x HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
	"PUT /x HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;a=b\r\nabc\r\n00\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\nA: b\n c\n\tContent-Length: 5\nContent-Length : 4\n\nGET / HTTP/1.1\r\nA:\r\n\r\n",
	"x {\"a\": \"b c\", 1}GET /a}PUT /b HTTP/1.1\r\nPUT /c HTTP/1.1\r\nHost:\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\nA:b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204\r\n\r\nHTTP/1.0 200 OK\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\rXHTTP/1.HTTP/1.1 200\r\nHTTP/1.1 304 Not Modified\r\nA:b\r\n\r\n",
	"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\x00\x01",
	"\x16\x03\x01HTTP/1.1 200 \r\n\r\nHTTP/1.1 404 \x80\r\nContent-Length: 1, 2\r\n\r\nab",
	"GET /" + strings.Repeat("a", 520) + " HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nA: " + strings.Repeat("b", 600) +
		"\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	"POST / HTTP/1.1\r\nContent-Length: 1\r\nA: " + strings.Repeat("b", 600) + "\r\nB: c\r\n\r\nxGET / HTTP/1.1\r\n\r\n",
}

// FuzzAnySplit: how a stream is cut makes no difference to what is reported,
// but for EndInferred, which depends on where a Feed ends.
func FuzzAnySplit(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, mode uint8, text, lengths []byte) {
		g := newProgram(mode, text)
		whole := g.run(nil)
		for _, cut := range [][]byte{{0}, {1}, lengths} {
			got := g.run(cut)
			if strings.Contains(strings.Join(got, ""), "end inferred") {
				continue
			}
			if !slices.Equal(got, whole) {
				t.Errorf("cut by %v:\n%s\nwhole:\n%s", cut, strings.Join(got, "\n"), strings.Join(whole, "\n"))
			}
		}
	})
}

// invariants is a Handler that checks the order of calls.
type invariants struct {
	t      *testing.T
	p      *Parser
	kind   Kind
	open   bool
	closed bool
}

func (v *invariants) Head(h *Head) Method {
	if v.open || v.closed {
		v.t.Fatalf("head while open=%v closed=%v", v.open, v.closed)
	}
	if h.Kind != v.kind || h.Major != 1 || h.Size < 13 || len(h.Fields()) > DefaultFields {
		v.t.Fatalf("impossible head %+v", h)
	}
	if h.Kind == Response && (h.Status < 100 || h.Status > 999) {
		v.t.Fatalf("status %d", h.Status)
	}
	if h.Kind == Request && (len(h.Method) == 0 || len(h.Target) == 0) {
		v.t.Fatal("empty method or target")
	}
	for _, f := range h.Fields() {
		if len(f.Name) == 0 || bytes.ContainsAny(f.Value, "\n") {
			v.t.Fatalf("impossible field %q", f)
		}
	}
	v.open = h.Kind == Request || h.Status/100 != 1 || h.Status == 101
	return MethodOther
}

func (v *invariants) End(e End) {
	if !v.open || v.closed || e.BodySize < 0 {
		v.t.Fatalf("end %+v while open=%v closed=%v", e, v.open, v.closed)
	}
	v.open = false
}

func (v *invariants) Desync() {
	if v.open || v.closed {
		v.t.Fatal("desync inside a message")
	}
}

func (v *invariants) check() {
	n, known := v.p.Remaining()
	switch {
	case v.p.InMessage() != v.open:
		v.t.Fatalf("InMessage %v, but open=%v", v.p.InMessage(), v.open)
	case n < 0 || (!known && n != 0) || v.p.Skippable() < 0 || v.p.Offset() < 0:
		v.t.Fatal("negative count")
	case v.p.Idle() && v.open:
		v.t.Fatal("idle in a message")
	case v.p.Idle() && v.p.head.buf != nil:
		v.t.Fatal("idle with a buffer")
	case len(v.p.head.buf) > v.p.lim.HeadBytes:
		v.t.Fatalf("%d bytes kept", len(v.p.head.buf))
	}
}

// FuzzCrash: any sequence of calls keeps the Handler's contract and the bounds.
func FuzzCrash(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, mode uint8, text, ops []byte) {
		g := newProgram(mode, text)
		p := New(g.kind, g.lim)
		v := &invariants{t: t, p: p, kind: g.kind}
		for i := 0; len(text) > 0 && len(ops) > 0; i++ {
			op := ops[i%len(ops)]
			n := min(int(op>>3)+1, len(text))
			switch op & 7 {
			case 0:
				p.Skip(int64(n), v)
				text = text[n:]
			case 1:
				p.Skip(int64(n)<<58, v)
				text = text[n:]
			case 2:
				p.Boundary(v)
				text = text[1:]
			case 3:
				if op == 0xfb {
					p.Tunnel(v)
				}
			}
			if op&7 >= 3 {
				p.Feed(text[:n], v)
				text = text[n:]
			}
			v.check()
		}
		p.EOF(v)
		v.check()
		if v.open {
			t.Fatal("open after EOF")
		}
		v.closed = true
		p.Feed(text, v)
		p.Skip(1, v)
		p.Boundary(v)
		p.EOF(v)
	})
}

// first is a Handler that keeps what the differential test compares of the
// first final message.
type first struct {
	p              *Parser
	heads, ends    int
	method, target string
	fields, status int
	minor          int
	end            End
	at             int64
}

func (c *first) Head(h *Head) Method {
	if h.Kind == Response && h.Status/100 == 1 {
		return MethodOther
	}
	if c.heads++; c.heads == 1 {
		c.method, c.target, c.status = string(h.Method), string(h.Target), h.Status
		c.minor = int(h.Minor)
		for _, f := range h.Fields() {
			if !slices.Contains(rewritten, http.CanonicalHeaderKey(string(f.Name))) {
				c.fields++
			}
		}
	}
	return MethodOther
}

func (c *first) End(e End) {
	if c.ends++; c.ends == 1 {
		c.end, c.at = e, c.p.Offset()
	}
}

func (c *first) Desync() {}

// rewritten are the fields that net/http removes from, merges in, or adds to its Header.
var rewritten = []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Cache-Control"}

// fieldCount counts field lines without the rewritten ones. It is not ok if
// there is a name with white space, which net/http keeps as it is instead of
// refusing it (RFC 9112 section 5.1).
func fieldCount(h http.Header) (n int, ok bool) {
	for name, values := range h {
		if strings.ContainsAny(name, " \t") {
			return 0, false
		}
		if !slices.Contains(rewritten, name) {
			n += len(values)
		}
	}
	return n, true
}

// FuzzDifferential: what net/http accepts as one complete message, httpparse
// frames the same.
func FuzzDifferential(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, mode uint8, text, _ []byte) {
		c := &first{}
		g := newProgram(mode&1, text)
		c.p = New(g.kind, Limits{HeadBytes: 1 << 20, Fields: 1 << 20})
		if g.kind == Request {
			compareRequest(t, c, text)
		} else {
			compareResponse(t, c, text)
		}
	})
}

func compareRequest(t *testing.T, c *first, text []byte) {
	src := bytes.NewReader(text)
	br := bufio.NewReader(src)
	req, err := http.ReadRequest(br)
	if err != nil || req.ProtoMajor != 1 || req.Method == "PRI" || len(req.Method) > maxMethod {
		return
	}
	fields, ok := fieldCount(req.Header)
	if !ok {
		return
	}
	n, err := io.Copy(io.Discard, req.Body)
	if err != nil {
		return
	}
	used := int64(len(text) - src.Len() - br.Buffered())
	c.p.Feed(text, c)
	if req.ProtoMinor == 0 && hasCoding(text) {
		return // net/http ignores the field, RFC 9112 section 6.1 calls it faulty
	}
	if c.heads == 0 || c.ends == 0 {
		t.Fatalf("heads %d ends %d, net/http: %s %s", c.heads, c.ends, req.Method, req.RequestURI)
	}
	if c.method != req.Method || c.target != req.RequestURI || c.minor != req.ProtoMinor {
		t.Errorf("got %s %q 1.%d, net/http %s %q", c.method, c.target, c.minor, req.Method, req.RequestURI)
	}
	compareEnd(t, c, fields, n, used)
}

func compareResponse(t *testing.T, c *first, text []byte) {
	src := bytes.NewReader(text)
	br := bufio.NewReader(src)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.ProtoMajor != 1 || resp.StatusCode < 200 || resp.StatusCode > 999 {
		return
	}
	fields, ok := fieldCount(resp.Header)
	if !ok {
		return
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return
	}
	used := int64(len(text) - src.Len() - br.Buffered())
	if resp.ProtoMinor == 0 && hasCoding(text) {
		return
	}
	c.p.Feed(text, c)
	c.p.EOF(c)
	if c.heads == 0 || c.ends == 0 {
		t.Fatalf("heads %d ends %d, net/http: %d", c.heads, c.ends, resp.StatusCode)
	}
	if c.status != resp.StatusCode || c.minor != resp.ProtoMinor {
		t.Errorf("got %d 1.%d, net/http %d", c.status, c.minor, resp.StatusCode)
	}
	compareEnd(t, c, fields, n, used)
}

func compareEnd(t *testing.T, c *first, fields int, body, used int64) {
	if c.fields != fields {
		t.Errorf("%d fields, net/http %d", c.fields, fields)
	}
	if !c.end.BodyKnown || c.end.BodySize != body || c.at != used {
		t.Errorf("end %+v at %d, net/http read a body of %d up to %d", c.end, c.at, body, used)
	}
}

// hasCoding says that text may hold a Transfer-Encoding field.
func hasCoding(text []byte) bool {
	return bytes.Contains(bytes.ToLower(text), []byte("transfer-encoding"))
}
