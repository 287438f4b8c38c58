// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"math"
	"strings"
	"testing"
)

func TestSkip(t *testing.T) {
	const put = "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
	const putHead = `head PUT "/" 1.1 size=37 length=9 [Content-Length:9] at=37`
	const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	const chunksHead = "head 200 1.1 size=47 chunked [Transfer-Encoding:chunked] at=47"
	runCases(t, []testCase{
		{
			name:  "inside a body",
			steps: []step{feed(put + "ab"), skip(3), feed("fghi" + put)},
			want:  []string{putHead, "end framed body=9 at=46", strings.Replace(putHead, "at=37", "at=83", 1)},
			state: StateLength,
		},
		{
			name:  "to the exact end of a body",
			steps: []step{feed(put), skip(9), feed("GET / HTTP/1.1\r\n\r\n")},
			want:  []string{putHead, "end framed body=9 at=46", `head GET "/" 1.1 size=18 at=64`, "end framed body=0 at=64"},
		},
		{
			name:  "beyond the end of a body, where messages may hide",
			steps: []step{feed(put + "a"), skip(100), feed("c\r\n\r\nGET / HTTP/1.1\r\nA:b\r\n\r\n")},
			want: []string{putHead, "end framed body=9 at=46", "desync",
				`head GET "/" 1.1 size=23 [A:b] at=166`, "end framed body=0 at=166"},
		},
		{
			name:  "beyond the end of a body, and a message starts right behind the gap",
			steps: []step{feed(put), skip(100), feed("GET / HTTP/1.1\r\n\r\n")},
			want: []string{putHead, "end framed body=9 at=46", "desync",
				`head GET "/" 1.1 size=18 at=155`, "end framed body=0 at=155"},
		},
		{
			name:  "between messages",
			steps: []step{skip(5), skip(5), feed("zz\n"), skip(1)},
			want:  []string{"desync"}, state: StateLost,
		},
		{
			name:  "nothing",
			steps: []step{feed(put), skip(-1), feed("123456789")},
			want:  []string{putHead, "end framed body=9 at=46"},
		},
		{
			name: "inside of a chunk's data", kind: Response,
			steps: []step{feed(chunks + "a\r\n12"), skip(5), feed("890\r\n4\r\n"), skip(4), feed("\r\n0\r\n\r\n")},
			want:  []string{chunksHead, "end framed body=14 at=76"},
		},
		{
			name: "across a chunk header; the last chunk follows the gap", kind: Response,
			steps: []step{feed(chunks + "a\r\n12"), skip(9), feed("0\r\n\r\n"), feed("HTTP/1.1 204\r\n\r\n")},
			want:  []string{chunksHead, "end inferred at=66", "head 204 1.1 size=16 at=82", "end framed body=0 at=82"},
		},
		{
			name: "across a chunk header; the last chunk ends the bytes fed", kind: Response,
			steps: []step{feed(chunks), skip(9), feed("xx0\r\n\r\ny\r\n\r\n0\r\n0"), feed("0\r\n\r\n")},
			want:  []string{chunksHead, "end inferred at=77"},
		},
		{
			name: "across a chunk header; a message follows the last chunk", kind: Response,
			steps: []step{feed(chunks), skip(9), feed("\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\nA:b\r\n\r\n")},
			want:  []string{chunksHead, "end inferred at=63", "head 204 1.1 size=32 [A:b] at=95", "end framed body=0 at=95"},
		},
		{
			name: "across a chunk header, then nothing that ends it", kind: Response,
			steps: []step{feed(chunks + "1\r\nab"), skip(9), feed("10\r\n\r\n"), skip(1), eof},
			want:  []string{chunksHead, "end lost at=68"}, state: StateClosed,
		},
		{
			name: "across a chunk header, then the caller knows", kind: Response,
			steps: []step{feed(chunks + "1\r"), skip(9), feed("HTTP/1.1 2"), boundary, feed("HTTP/1.1 204\r\n\r\n")},
			want:  []string{chunksHead, "end replaced at=68", "head 204 1.1 size=16 at=84", "end framed body=0 at=84"},
		},
		{
			name: "until close", kind: Response,
			steps: []step{feed("HTTP/1.1 200 OK\r\n\r\n"), skip(math.MaxInt64), feed("ab"), skip(math.MaxInt64), boundary},
			want:  []string{"head 200 1.1 size=19 at=19", "end replaced body=9223372036854775807 at=9223372036854775807"},
		},
		{
			name:  "inside of a start line",
			steps: []step{feed("GET / HT"), skip(1), feed("/1.1\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n")},
			want:  []string{"desync", `head GET "/" 1.1 size=18 at=41`, "end framed body=0 at=41"},
		},
		{
			name:  "inside of a field: the complete ones are reported, the end is open",
			steps: []step{feed("GET /a HTTP/1.1\r\nA: b\r\nC: d"), skip(50), feed("e\r\n\r\nGET / HTTP/1.1\r\n\r\n")},
			want: []string{`head GET "/a" 1.1 size=27 truncated [A:b] at=27`, "end lost at=82",
				`head GET "/" 1.1 size=18 at=100`, "end framed body=0 at=100"},
		},
		{
			name: "inside of a chunked response's head", kind: Response,
			steps: []step{feed(chunks[:45]), skip(50), feed("0\r\n\r\n")},
			want: []string{"head 200 1.1 size=45 chunked truncated [Transfer-Encoding:chunked] at=45",
				"end inferred at=100"},
		},
		{
			name: "inside of an interim head", kind: Response,
			steps: []step{feed("HTTP/1.1 103 x\r\nA"), skip(50), feed(": b\r\n\r\nHTTP/1.1 204 x\r\n\r\n")},
			want: []string{"head 103 1.1 size=17 truncated at=17", "desync",
				"head 204 1.1 size=18 at=92", "end framed body=0 at=92"},
		},
		{
			name: "inside of a 101 head", kind: Response,
			steps: []step{feed("HTTP/1.1 101 x\r\nA"), skip(50), feed("\x81")},
			want:  []string{"head 101 1.1 size=17 upgrade truncated at=17", "end tunnel body=0 at=17"}, state: StateTunnel,
		},
	})
}

func TestBoundary(t *testing.T) {
	runCases(t, []testCase{
		{name: "between messages", steps: []step{boundary}},
		{name: "in an unread head", steps: []step{feed("GET / HTTP/1.1\r\nA"), boundary}, want: []string{"desync"}},
		{
			name:  "without framing",
			steps: []step{feed("\x00"), boundary, feed("GET / HTTP/1.1\r\n\r\n")},
			want:  []string{"desync", `head GET "/" 1.1 size=18 at=19`, "end framed body=0 at=19"},
		},
		{
			name:  "in a body",
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"), boundary},
			want:  []string{`head PUT "/" 1.1 size=37 length=9 [Content-Length:9] at=37`, "end replaced body=2 at=39"},
		},
	})
}

func TestResync(t *testing.T) {
	const get = `head GET "/" 1.1 size=23 [A:b] at=`
	request := func(name, text string, want ...string) testCase {
		return testCase{name: name, steps: []step{skip(1), feed(text)}, want: append([]string{"desync"}, want...)}
	}
	lost := func(k Kind, name, text string) testCase {
		return testCase{name: name, kind: k, steps: []step{skip(1), feed(text)}, want: []string{"desync"}, state: StateLost}
	}
	const whole = "GET / HTTP/1.1\r\nA:b\r\n\r\n"
	runCases(t, []testCase{
		request("at a line start", "a b c\r\n"+whole, get+"31", "end framed body=0 at=31"),
		request("behind JSON", `{"a b": "c d", "e": 1}`+whole, get+"46", "end framed body=0 at=46"),
		request("behind a word and JSON", `x y}`+whole, get+"28", "end framed body=0 at=28"),
		request("behind half a request line", `x /y HTTP/1}`+whole, get+"36", "end framed body=0 at=36"),
		request("behind a request line that no field follows", "PUT /x HTTP/1.1\r\n"+whole, get+"41", "end framed body=0 at=41"),
		request("behind half an empty line", "PUT /x HTTP/1.1\r\n\r"+whole, get+"42", "end framed body=0 at=42"),
		request("in a target that is too long", "x "+strings.Repeat("y", DefaultHeadBytes)+"}"+whole,
			get+"65563", "end framed body=0 at=65563"),
		lost(Request, "prose tells of a request", "as in GET / HTTP/1.1\r\nA:b\r\n\r\n"),
		lost(Request, "an access log", `1.2.3.4 - - "GET / HTTP/1.1" 200 5`+"\r\nA:b\r\n"),
		lost(Request, "lone LF", "GET / HTTP/1.1\nA:b\n\n"),
		lost(Request, "no field follows", "GET / HTTP/1.1\r\nand so on\r\n\r\n"),
		lost(Request, "another version", "GET / HTTP/2.0\r\nA:b\r\n\r\n"),
		lost(Request, "no target", "GET HTTP/1.1\r\nA:b\r\n\r\n"),
		lost(Request, "a target that cannot be one", "GET \"x\" HTTP/1.1\r\nA:b\r\n\r\n"),
		lost(Request, "a method that is too long", strings.Repeat("M", 65)+" / HTTP/1.1\r\nA:b\r\n\r\n"),
		lost(Request, "a name that is too long", "GET / HTTP/1.1\r\n"+strings.Repeat("n", 257)+":b\r\n\r\n"),
		lost(Request, "a response", "HTTP/1.1 200 OK\r\nA:b\r\n\r\n"),
		lost(Response, "a request", whole),
		lost(Response, "a status that is none", "HTTP/1.1 020 OK\r\nA:b\r\n\r\nHTTP/1.1 2000\r\n\r\n"),
		lost(Response, "a status line alone", "HTTP/1.1 200 OK\r\nnothing\r\n"),
		{
			name: "a response behind any byte", kind: Response,
			steps: []step{skip(1), feed("HTTP/1.HTTP/1.1 200 OK\r\nHTTP/1.1 204 OK\r\nA:b\r\n\r\n")},
			want:  []string{"desync", "head 204 1.1 size=24 [A:b] at=49", "end framed body=0 at=49"},
		},
		{
			name: "a body right behind the message found", kind: Response,
			steps: []step{skip(1), feed("xHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 204\r\n\r\n")},
			want: []string{"desync", "head 200 1.1 size=35 length=2 [Content-Length:2] at=37", "end framed body=2 at=39",
				"head 204 1.1 size=16 at=55", "end framed body=0 at=55"},
		},
		{
			name:  "a new run of garbage is a new desync",
			steps: []step{feed("\x00\n" + whole + "\x00\n"), feed(whole)},
			want:  []string{"desync", get + "25", "end framed body=0 at=25", "desync", get + "50", "end framed body=0 at=50"},
		},
	})
}

func TestLimits(t *testing.T) {
	small := Limits{HeadBytes: 512, Fields: 2}
	long := "X: " + strings.Repeat("x", 600) + "\r\n"
	runCases(t, []testCase{
		{
			name: "more fields than are kept still frame", lim: small,
			steps: []step{feed("PUT / HTTP/1.1\r\nA: b\r\nC: d\r\nContent-Length: 1\r\n\r\nx")},
			want:  []string{`head PUT "/" 1.1 size=49 length=1 truncated [A:b] [C:d] at=49`, "end framed body=1 at=50"},
		},
		{
			name: "a head that is too long, framed by what was kept", lim: small,
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: 1\r\n" + long + "C: d\r\n\r\nx")},
			want:  []string{`head PUT "/" 1.1 size=648 length=1 truncated [Content-Length:1] at=648`, "end framed body=1 at=649"},
		},
		{
			name: "a head that is too long, framing unknown", lim: small,
			steps: []step{feed("PUT / HTTP/1.1\r\nA: b\r\n" + long + "\r\nx\nGET / HTTP/1.1\r\n\r\n")},
			want: []string{`head PUT "/" 1.1 size=629 truncated [A:b] at=629`, "end lost at=631",
				`head GET "/" 1.1 size=18 at=649`, "end framed body=0 at=649"},
		},
		{
			name: "a head that is too long, of a response without a body", kind: Response, lim: small,
			steps: []step{feed("HTTP/1.1 304 x\r\n" + long + "\n")},
			want:  []string{"head 304 1.1 size=622 truncated at=622", "end framed body=0 at=622"},
		},
		{
			name: "a head that never ends", lim: small,
			steps: []step{feed("GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1000)), eof},
			want:  []string{"desync"}, state: StateClosed,
		},
		{
			name: "a head that never ends, then a gap", lim: small,
			steps: []step{feed("GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1000)), skip(1), boundary},
			want:  []string{`head GET "/" 1.1 size=6016 truncated [A:b] [A:b] at=6016`, "end replaced at=6017"},
		},
		{
			name: "a start line that is too long", lim: small,
			steps: []step{feed("GET /" + strings.Repeat("a", 600) + " HTTP/1.1\r\n\r\n"), feed("GET / HTTP/1.1\r\n\r\n")},
			want:  []string{"desync", `head GET "/" 1.1 size=18 at=636`, "end framed body=0 at=636"},
		},
	})
}

// TestMemory: hostile input keeps no more than the limit.
func TestMemory(t *testing.T) {
	for _, text := range []string{"GET / HTTP/1.1\r\nA: b", "GET /", "A", "\x00", "a ", "\r\n", " ", "GET / HTTP/1.1\r\n"} {
		for _, k := range []Kind{Request, Response} {
			p, c := New(k, Limits{HeadBytes: 1024}), &counter{}
			p.Feed([]byte(text), c)
			for range 1000 {
				p.Feed([]byte(strings.Repeat(text, 50)), c)
			}
			if n := cap(p.head.buf) + cap(p.lim.Scratch.spare); n > 4096 {
				t.Errorf("%q: %d bytes kept", text, n)
			}
		}
	}
}

// TestQueries: what can be asked of a Parser in each state.
func TestQueries(t *testing.T) {
	type answers struct {
		remaining int64
		known     bool
		skippable int64
		open      bool
		idle      bool
		http2     bool
		state     State
	}
	const forever = math.MaxInt64
	for _, c := range []struct {
		kind Kind
		text string
		want answers
	}{
		{Request, "", answers{known: true, idle: true, state: StateBoundary}},
		{Request, "GET / HTTP/1.1\r\n\r\n\r\n", answers{known: true, idle: true, state: StateBoundary}},
		{Request, "GET", answers{state: StateHead}},
		{Request, "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab", answers{remaining: 7, known: true, skippable: 7, open: true, state: StateLength}},
		{Request, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab", answers{skippable: 7, open: true, state: StateChunked}},
		{Request, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r", answers{open: true, state: StateChunked}},
		{Request, "PUT / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n", answers{open: true, state: StateLost}},
		{Request, "\x00", answers{state: StateLost}},
		{Request, preface2 + "\r\n", answers{skippable: forever, http2: true, state: StateHTTP2}},
		{Response, "HTTP/1.1 200 OK\r\n\r\n", answers{skippable: forever, open: true, state: StateUntilClose}},
		{Response, "HTTP/1.1 101 OK\r\n\r\n", answers{skippable: forever, state: StateTunnel}},
	} {
		p := New(c.kind, Limits{})
		p.Feed([]byte(c.text), &counter{})
		got := answers{skippable: p.Skippable(), open: p.InMessage(), idle: p.Idle(), http2: p.HTTP2(), state: p.State()}
		got.remaining, got.known = p.Remaining()
		if got != c.want {
			t.Errorf("%q:\n got %+v\nwant %+v", c.text, got, c.want)
		}
		p.Reset(Response)
		if !p.Idle() || p.Offset() != 0 || p.kind != Response {
			t.Errorf("%q: Reset leaves %+v", c.text, p)
		}
	}
}
