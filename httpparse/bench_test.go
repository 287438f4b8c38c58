// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"strconv"
	"strings"
	"testing"
)

// counter is the cheapest Handler that wants fields.
type counter struct{ heads, fields, ends, desyncs int }

func (c *counter) Head(h *Head) Method {
	c.heads++
	c.fields += len(h.Fields())
	return MethodOther
}

func (c *counter) End(End) { c.ends++ }
func (c *counter) Desync() { c.desyncs++ }

// request10 is a browser's request with 10 fields.
const request10 = "GET /v1/orders/81723?expand=items&limit=20 HTTP/1.1\r\n" +
	"Host: shop.example.com:8080\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: application/json, text/plain, */*\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Connection: keep-alive\r\n" +
	"Referer: http://shop.example.com:8080/cart\r\n" +
	"Cookie: sid=9b1c4e77a2d04f6e8a53; theme=dark\r\n" +
	"X-Request-Id: 6f1de0c2-63a1-4b0e-9a4e-2f7a5c9d8e10\r\n" +
	"traceparent: 00-5c2e91a07bd34f6688c1d20e9a4b7f13-9d41c6e08f2ab735-01\r\n\r\n"

const response8 = "HTTP/1.1 200 OK\r\n" +
	"Server: nginx/1.22.1\r\n" +
	"Date: Mon, 14 Jul 2025 10:00:00 GMT\r\n" +
	"Content-Type: application/json; charset=utf-8\r\n" +
	"Content-Length: 16\r\n" +
	"Connection: keep-alive\r\n" +
	"Vary: Accept-Encoding\r\n" +
	"Cache-Control: no-cache\r\n" +
	"ETag: W/\"5c2e91a0\"\r\n\r\n"

const body16 = "{\"status\": true}"

// chunked16 is a response of 16 chunks of 64 bytes.
var chunked16 = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" +
	strings.Repeat("40\r\n"+strings.Repeat("x", 64)+"\r\n", 16) + "0\r\n\r\n"

// streams are the cases that are measured, and guarded against allocation.
var streams = []struct {
	name     string
	kind     Kind
	text     string
	piece    int // bytes per Feed, 0 for all
	messages int
}{
	{"request", Request, request10, 0, 1},
	{"request-other", Request, request10 + strings.Replace(request10, "-01\r", "-00\r", 1), len(request10), 2}, // never the one before
	{"request-split", Request, request10, 200, 1},
	{"request-bytewise", Request, request10, 1, 1},
	{"request-folded", Request, strings.Replace(request10, "; theme", ";\r\n theme", 1), 0, 1},
	{"response", Response, response8 + body16, 0, 1},
	{"chunked", Response, chunked16, 0, 1},
	{"pipelined", Request, strings.Repeat(request10, 16), 0, 16},
	{"lost", Request, strings.Repeat("some garbage; ", 32) + "\r\n" + request10, 0, 1},
}

func feedPieces(p *Parser, b []byte, piece int, h Handler) {
	if piece == 0 {
		p.Feed(b, h)
		return
	}
	for len(b) > 0 {
		n := min(piece, len(b))
		p.Feed(b[:n], h)
		b = b[n:]
	}
}

func BenchmarkFeed(b *testing.B) {
	for _, s := range streams {
		b.Run(s.name, func(b *testing.B) {
			p, c, text := New(s.kind, Limits{}), &counter{}, []byte(s.text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				feedPieces(p, text, s.piece, c)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*s.messages), "ns/message")
			if c.ends != b.N*s.messages {
				b.Fatalf("%d messages in %d rounds", c.ends, b.N)
			}
		})
	}
}

// BenchmarkResync is the search through a body for the next message.
func BenchmarkResync(b *testing.B) {
	for _, k := range []Kind{Request, Response} {
		b.Run(strconv.Itoa(int(k)), func(b *testing.B) {
			p, c := New(k, Limits{}), &counter{}
			body := []byte(strings.Repeat("{\"name\": \"a b c\", \"list\": [1, 2, 3]}\n", 100))
			p.Skip(1, c)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				p.Feed(body, c)
			}
		})
	}
}

// TestAllocations: no message costs an allocation, whole or in pieces, once
// the Parser has run before.
func TestAllocations(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			p, c, text := New(s.kind, Limits{}), &counter{}, []byte(s.text)
			allocs := testing.AllocsPerRun(100, func() {
				feedPieces(p, text, s.piece, c)
			})
			if allocs != 0 {
				t.Errorf("%v allocations", allocs)
			}
			if c.ends != 101*s.messages { // AllocsPerRun warms up once
				t.Errorf("%d messages", c.ends)
			}
		})
	}
}

// TestScratchShared: Parsers that share a Scratch hold no memory between messages.
func TestScratchShared(t *testing.T) {
	s := new(Scratch)
	c := &counter{}
	for range 10 {
		p := New(Request, Limits{Scratch: s})
		feedPieces(p, []byte(request10), 100, c)
		if p.head.buf != nil {
			t.Fatal("idle Parser holds a buffer")
		}
	}
	if c.ends != 10 || s.spare == nil {
		t.Errorf("%d messages, spare %d", c.ends, cap(s.spare))
	}
}
