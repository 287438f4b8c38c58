// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"strings"
	"testing"
)

func TestRequestFraming(t *testing.T) {
	runCases(t, []testCase{
		{
			name:  "RFC 9112 6.3 rule 7: no length means no body; 9.3.2 pipelining",
			steps: []step{feed("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")},
			want: []string{
				`head GET "/a" 1.1 size=19 at=19`, "end framed body=0 at=19",
				`head GET "/b" 1.1 size=19 at=38`, "end framed body=0 at=38"},
		},
		{
			name:  "RFC 9112 6.3 rule 6: Content-Length",
			steps: []step{feed("PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n")},
			want: []string{
				`head PUT "/a" 1.1 size=38 length=3 [Content-Length:3] at=38`, "end framed body=3 at=41",
				`head GET "/b" 1.1 size=19 at=60`, "end framed body=0 at=60"},
		},
		{
			name:  "RFC 9110 8.6: equal lengths in a list and in two lines are one",
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-length:02\r\n\r\nab")},
			want: []string{
				`head PUT "/" 1.1 size=59 length=2 [Content-Length:2, 2] [Content-length:02] at=59`, "end framed body=2 at=61"},
		},
		{
			name:  "RFC 9112 6.3 rule 5: differing lengths leave the end open until the next message",
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab\n"), feed("GET / HTTP/1.1\r\nA:b\r\n\r\n")},
			want: []string{
				`head PUT "/" 1.1 size=56 close [Content-Length:2] [Content-Length:3] at=56`, "end lost at=59",
				`head GET "/" 1.1 size=23 [A:b] at=82`, "end framed body=0 at=82"},
		},
		{
			name:  "RFC 9112 6.3 rule 5: a length beyond 63 bits",
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\nab"), eof},
			want:  []string{`head PUT "/" 1.1 size=55 close [Content-Length:9223372036854775808] at=55`, "end lost at=57"},
			state: StateClosed,
		},
		{
			name:  "RFC 9112 6.3 rule 5: signs are no digits",
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: +2\r\n\r\n"), boundary},
			want:  []string{`head PUT "/" 1.1 size=38 close [Content-Length:+2] at=38`, "end replaced at=38"},
		},
		{
			name:  "RFC 9112 6.3 rule 5: an empty list element",
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: 2,\r\n\r\n"), boundary},
			want:  []string{`head PUT "/" 1.1 size=38 close [Content-Length:2,] at=38`, "end replaced at=38"},
		},
		{
			name:  "RFC 9112 6.3 rule 3: Transfer-Encoding overrides Content-Length, then the connection closes",
			steps: []step{feed("PUT / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")},
			want: []string{
				`head PUT "/" 1.1 size=65 length=9 chunked close [Content-Length:9] [Transfer-Encoding:chunked] at=65`,
				"end framed body=1 at=76"},
		},
		{
			name:  "RFC 9112 6.3 rule 4: a request whose last coding is not chunked has no end",
			steps: []step{feed("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc"), eof},
			want:  []string{`head PUT "/" 1.1 size=52 close [Transfer-Encoding:chunked, gzip] at=52`, "end lost at=55"},
			state: StateClosed,
		},
		{
			name:  "RFC 9112 6.1: the last coding of all lines counts, in any case",
			steps: []step{feed("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\ntransfer-encoding: Chunked,\r\n\r\n0\r\n\r\n")},
			want: []string{
				`head PUT "/" 1.1 size=72 chunked [Transfer-Encoding:gzip] [transfer-encoding:Chunked,] at=72`, "end framed body=0 at=77"},
		},
		{
			name:  "RFC 9112 6.1: Transfer-Encoding in HTTP/1.0 is faulty",
			steps: []step{feed("PUT / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"), boundary},
			want: []string{
				`head PUT "/" 1.0 size=70 chunked close [Connection:keep-alive] [Transfer-Encoding:chunked] at=70`, "end replaced at=76"},
		},
		{
			name: "RFC 9112 9.3: persistence",
			steps: []step{feed("GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" +
				"GET /c HTTP/1.1\r\nConnection: x, Close\r\n\r\n")},
			want: []string{
				`head GET "/a" 1.0 size=19 close at=19`, "end framed body=0 at=19",
				`head GET "/b" 1.0 size=43 [Connection:Keep-Alive] at=62`, "end framed body=0 at=62",
				`head GET "/c" 1.1 size=41 close [Connection:x, Close] at=103`, "end framed body=0 at=103"},
		},
		{
			name: "RFC 9110 7.8: Upgrade asks, but not in HTTP/1.0",
			steps: []step{feed("GET /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" +
				"GET /b HTTP/1.0\r\nUpgrade: websocket\r\n\r\n")},
			want: []string{
				`head GET "/a" 1.1 size=60 upgrade [Connection:upgrade] [Upgrade:websocket] at=60`, "end framed body=0 at=60",
				`head GET "/b" 1.0 size=39 close [Upgrade:websocket] at=99`, "end framed body=0 at=99"},
		},
		{
			name:  "RFC 9110 9.3.6: bytes behind CONNECT before the verdict, then the tunnel",
			steps: []step{feed("CONNECT a:443 HTTP/1.1\r\n\r\n"), feed("\x16\x03\x01\x00"), tunnel, feed("GET / HTTP/1.1\r\n\r\n"), eof},
			want:  []string{`head CONNECT "a:443" 1.1 size=26 at=26`, "end framed body=0 at=26", "desync"},
			state: StateClosed,
		},
		{
			name:  "RFC 9110 7.8: a body in progress when the tunnel begins",
			steps: []step{feed("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"), tunnel, feed("cd"), boundary, tunnel},
			want:  []string{`head POST "/" 1.1 size=38 length=4 [Content-Length:4] at=38`, "end tunnel body=2 at=40"},
			state: StateTunnel,
		},
		{
			name:  "RFC 9113 3.4: the HTTP/2 preface is the last that is looked at",
			steps: []step{feed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), feed("\nGET / HTTP/1.1\r\nA:b\r\n\r\n"), boundary, skip(9)},
			want:  []string{"desync"},
			state: StateHTTP2,
		},
	})
}

func TestResponseFraming(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	runCases(t, []testCase{
		{
			name: "RFC 9112 6.3 rule 1: HEAD", kind: Response, method: MethodHead,
			steps: []step{feed(ok + "Content-Length: 5\r\n\r\n" + ok + "Transfer-Encoding: chunked\r\n\r\n")},
			want: []string{
				"head 200 1.1 size=38 length=5 [Content-Length:5] at=38", "end framed body=0 at=38",
				"head 200 1.1 size=47 chunked [Transfer-Encoding:chunked] at=85", "end framed body=0 at=85"},
		},
		{
			name: "RFC 9112 6.3 rule 1: 204 and 304", kind: Response,
			steps: []step{feed("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")},
			want: []string{
				"head 204 1.1 size=46 length=5 [Content-Length:5] at=46", "end framed body=0 at=46",
				"head 304 1.1 size=48 length=5 [Content-Length:5] at=94", "end framed body=0 at=94"},
		},
		{
			name: "RFC 9110 15.2: interim responses have no end", kind: Response,
			steps: []step{feed("HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 103 \r\nLink: a\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")},
			want: []string{
				"head 100 1.1 size=44 length=9 [Content-Length:9] at=44",
				"head 103 1.1 size=26 [Link:a] at=70",
				"head 200 1.1 size=35 length=0 [Content-Length:0] at=105", "end framed body=0 at=105"},
		},
		{
			name: "RFC 9110 15.2.2: 101 leaves HTTP", kind: Response,
			steps: []step{feed("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05Hello"), skip(5), feed(ok)},
			want:  []string{"head 101 1.1 size=56 upgrade [Upgrade:websocket] at=56", "end tunnel body=0 at=56"},
			state: StateTunnel,
		},
		{
			name: "RFC 9112 6.3 rule 2: CONNECT", kind: Response, method: MethodConnect,
			steps: []step{feed("HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x16\x03\x01")},
			want: []string{
				"head 407 1.1 size=38 length=1 [Content-Length:1] at=38", "end framed body=1 at=39",
				"head 200 1.1 size=38 length=3 [Content-Length:3] at=77", "end tunnel body=0 at=77"},
			state: StateTunnel,
		},
		{
			name: "RFC 9112 6.3 rule 8: until close", kind: Response,
			steps: []step{feed(ok + "\r\nab\r\n\r\n" + ok), skip(100), eof, feed(ok)},
			want:  []string{"head 200 1.1 size=19 at=19", "end close body=123 at=142"},
			state: StateClosed,
		},
		{
			name: "RFC 9112 6.3 rule 4: last coding not chunked, until close", kind: Response,
			steps: []step{feed(ok + "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nabc"), eof},
			want:  []string{"head 200 1.1 size=63 length=1 [Transfer-Encoding:gzip] [Content-Length:1] at=63", "end close body=3 at=66"},
			state: StateClosed,
		},
		{
			name: "RFC 9112 6.1: Transfer-Encoding in HTTP/1.0, until close", kind: Response,
			steps: []step{feed("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), eof},
			want:  []string{"head 200 1.0 size=47 chunked close [Transfer-Encoding:chunked] at=47", "end close body=5 at=52"},
			state: StateClosed,
		},
		{
			name: "RFC 9112 8: EOF inside of a framed body", kind: Response,
			steps: []step{feed(ok + "Content-Length: 5\r\n\r\nab"), eof},
			want:  []string{"head 200 1.1 size=38 length=5 [Content-Length:5] at=38", "end aborted body=2 at=40"},
			state: StateClosed,
		},
		{
			name: "RFC 9112 8: EOF inside of a chunked body", kind: Response,
			steps: []step{feed(ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nab"), eof},
			want:  []string{"head 200 1.1 size=47 chunked [Transfer-Encoding:chunked] at=47", "end aborted body=2 at=52"},
			state: StateClosed,
		},
		{
			name: "RFC 9112 8: EOF inside of a head", kind: Response,
			steps: []step{feed(ok + "Content-Len"), eof},
			want:  []string{"desync"},
			state: StateClosed,
		},
	})
}

func TestChunked(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	const want = `head POST "/" 1.1 size=47 chunked [Transfer-Encoding:chunked] at=47`
	runCases(t, []testCase{
		{
			name:  "RFC 9112 7.1.1: extensions, also behind white space and quoted",
			steps: []step{feed(head + "3;a=b;c=\"d\"\r\nabc\r\n2 ; x\r\nde\r\n1\t\r\nf\r\n0;z\r\n\r\n")},
			want:  []string{want, "end framed body=6 at=90"},
		},
		{
			name:  "RFC 9112 7.1.2: trailers",
			steps: []step{feed(head + "0\r\nContent-Length: 99\r\nA:\r\n\r\n" + head[:15])},
			want:  []string{want, "end framed body=0 trailers at=76"},
			state: StateHead,
		},
		{
			name:  "RFC 9112 7.1: hexadecimal in both cases, leading zeros",
			steps: []step{feed(head + "00000000000000000000A\r\n0123456789\r\n0b\r\n0123456789a\r\n000\r\n\r\n")},
			want:  []string{want, "end framed body=21 at=106"},
		},
		{
			name:  "RFC 9112 2.2: lone LF",
			steps: []step{feed(head + "1\na\n0\nA: b\n\n")},
			want:  []string{want, "end framed body=1 trailers at=59"},
		},
		{
			name:  "RFC 9112 7.1: a size that overflows loses framing, until the next message",
			steps: []step{feed(head + "8000000000000000\r\nab\nGET / HTTP/1.1\r\nA:b\r\n\r\n")},
			want: []string{want, "end lost at=68",
				`head GET "/" 1.1 size=23 [A:b] at=91`, "end framed body=0 at=91"},
		},
		{
			name:  "RFC 9112 7.1: the largest size",
			steps: []step{feed(head + "7fffffffffffffff\r\nab"), skip(1 << 40), eof},
			want:  []string{want, "end aborted body=1099511627778 at=1099511627843"},
			state: StateClosed,
		},
		{
			name:  "RFC 9112 7.1: no size",
			steps: []step{feed(head + "\r\nab"), boundary},
			want:  []string{want, "end replaced at=51"},
		},
		{
			name:  "RFC 9112 7.1: no line end after the data",
			steps: []step{feed(head + "1\r\nab\r\n0\r\n\r\n")},
			want:  []string{want, "end inferred at=59"},
		},
	})
}

func TestHeadSyntax(t *testing.T) {
	runCases(t, []testCase{
		{
			name: "RFC 9112 3.2: target forms; RFC 9110 9.1: any method",
			steps: []step{feed("OPTIONS * HTTP/1.1\r\n\r\nGET http://a/b?c HTTP/1.1\r\n\r\nCONNECT [::1]:443 HTTP/1.1\r\n\r\n" +
				"MKCALENDAR /c HTTP/1.1\r\n\r\n!#$%&'*+-.^_`|~ /x HTTP/1.1\r\n\r\n")},
			want: []string{
				`head OPTIONS "*" 1.1 size=22 at=22`, "end framed body=0 at=22",
				`head GET "http://a/b?c" 1.1 size=29 at=51`, "end framed body=0 at=51",
				`head CONNECT "[::1]:443" 1.1 size=30 at=81`, "end framed body=0 at=81",
				`head MKCALENDAR "/c" 1.1 size=26 at=107`, "end framed body=0 at=107",
				"head !#$%&'*+-.^_`|~ \"/x\" 1.1 size=31 at=138", "end framed body=0 at=138"},
		},
		{
			name:  "RFC 9112 3: white space around the target",
			steps: []step{feed("GET  \t/a  HTTP/1.1\r\n\r\n")},
			want:  []string{`head GET "/a" 1.1 size=22 at=22`, "end framed body=0 at=22"},
		},
		{
			name:  "RFC 9112 3.2: a target with spaces is answered with an error, but is a request",
			steps: []step{feed("GET /a b HTTP/1.1\r\n\r\n")},
			want:  []string{`head GET "/a b" 1.1 size=21 at=21`, "end framed body=0 at=21"},
		},
		{
			name:  "RFC 9112 2.2: empty lines before the request, lone LF",
			steps: []step{feed("\r\n\n\r\nGET / HTTP/1.1\nA: b\n\n")},
			want:  []string{`head GET "/" 1.1 size=21 [A:b] at=26`, "end framed body=0 at=26"},
		},
		{
			name:  "RFC 9112 2.2: white space between start line and first field",
			steps: []step{feed("GET / HTTP/1.1\r\n Content-Length: 5\r\n\tA: b\r\nC: d\r\n\r\n")},
			want:  []string{`head GET "/" 1.1 size=51 [C:d] at=51`, "end framed body=0 at=51"},
		},
		{
			name:  "RFC 9112 5.1: white space before the colon in a request is refused",
			steps: []step{feed("GET / HTTP/1.1\r\nContent-Length : 5\r\nA: b\r\n\r\n")},
			want:  []string{`head GET "/" 1.1 size=44 [A:b] at=44`, "end framed body=0 at=44"},
		},
		{
			name: "RFC 9112 5.1: white space before the colon in a response is removed", kind: Response,
			steps: []step{feed("HTTP/1.1 200 OK\r\nContent-Length \t: 1\r\n\r\nx")},
			want:  []string{"head 200 1.1 size=40 length=1 [Content-Length:1] at=40", "end framed body=1 at=41"},
		},
		{
			name:  "RFC 9112 5.2: obsolete line folding",
			steps: []step{feed("GET / HTTP/1.1\r\nA: b\r\n  c\r\nContent-Length:\r\n\t1\r\n\r\nx")},
			want:  []string{`head GET "/" 1.1 size=50 length=1 [A:b    c] [Content-Length:1] at=50`, "end framed body=1 at=51"},
		},
		{
			name:  "RFC 9112 5: lines that are no fields",
			steps: []step{feed("GET / HTTP/1.1\r\nno colon\r\n: b\r\nA(: b\r\nC:\r\n\r\n")},
			want:  []string{`head GET "/" 1.1 size=44 [C:] at=44`, "end framed body=0 at=44"},
		},
		{
			name:  "RFC 9110 5.5: optional white space around a value",
			steps: []step{feed("GET / HTTP/1.1\r\nA: \t b c \t\r\nB:d\r\n\r\n")},
			want:  []string{`head GET "/" 1.1 size=35 [A:b c] [B:d] at=35`, "end framed body=0 at=35"},
		},
		{
			name: "RFC 9112 4: white space before the status code", kind: Response,
			steps: []step{feed("HTTP/1.1 \t 204 x\r\n\r\n")},
			want:  []string{"head 204 1.1 size=20 at=20", "end framed body=0 at=20"},
		},
		{
			name: "RFC 9112 4: reasons", kind: Response, method: MethodHead,
			steps: []step{feed("HTTP/1.1 200\r\n\r\nHTTP/1.1 599 \r\n\r\nHTTP/1.0 404 Nicht gef\xfcnden\r\n\r\n")},
			want: []string{"head 200 1.1 size=16 at=16", "end framed body=0 at=16",
				"head 599 1.1 size=17 at=33", "end framed body=0 at=33",
				"head 404 1.0 size=31 close at=64", "end framed body=0 at=64"},
		},
	})
}

func TestNoStartLine(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		text string
	}{
		{Request, "GET /\r\n"}, {Request, "GET / HTTP/1.1x\r\n"}, {Request, "GET / http/1.1\r\n"},
		{Request, "GET   HTTP/1.1\r\n"}, {Request, "GET HTTP/1.1\r\n"}, {Request, "so that x}GET / HTTP/1.1\r\n"},
		{Request, " GET / HTTP/1.1\r\n"}, {Request, "G(T / HTTP/1.1\r\n"}, {Request, "GET /\x01 HTTP/1.1\r\n"},
		{Request, "GET / HTTP/2.0\r\n"}, {Request, "GET / HTTP/1.10\r\n"}, {Request, "\rGET / HTTP/1.1"},
		{Request, "HTTP/1.1 200 OK\r\n"}, {Request, strings.Repeat("M", 65) + " / HTTP/1.1\r\n"},
		{Request, "\x16\x03\x01\x02\x00"}, {Request, "SSH-2.0-x\r\n"}, {Request, "*1\r\n$4\r\nPING\r\n"},
		{Response, "HTTP/1.1 20 OK\r\n"}, {Response, "HTTP/1.1 2000\r\n"}, {Response, "HTTP/1.1 099 x\r\n"},
		{Response, "HTTP/2 200\r\n"}, {Response, "HTTP/1.1  20\r\n"}, {Response, "ICY 200 OK\r\n"},
		{Response, "GET / HTTP/1.1\r\n"}, {Response, "HTTP/1.x 200 OK\r\n"},
	} {
		t.Run(c.text, func(t *testing.T) {
			runCases(t, []testCase{{kind: c.kind, steps: []step{feed(c.text)}, want: []string{"desync"}, state: StateLost}})
		})
	}
}
