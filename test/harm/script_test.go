// SPDX-License-Identifier: Apache-2.0

//go:build integration

package harm

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// step is something to send on a connection, and how many responses it leads to.
type step struct {
	name      string
	wire      string
	pieces    int // bytes per write at most; 0: all at once
	responses int
	head      bool // the response has no body, whatever it says
}

const traceContext = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"

func get(target, fields string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"
}

// script is one round on a connection that stays open, the same ones every time.
// Every server answers /ok, /missing and /big; bodies of requests may be ignored.
func script(pipelining, chunkedBodies bool) []step {
	body := noise(100_000)
	list := []step{
		{name: "get", wire: get("/ok?a=1", traceContext)},
		{name: "long head", wire: get("/ok", "Cookie: "+strings.Repeat("c", 3000)+"\r\n"+traceContext)},
		{name: "missing", wire: get("/missing", "")},
		{name: "head", wire: "HEAD /ok HTTP/1.1\r\nHost: h\r\n\r\n", head: true},
		{name: "in pieces", wire: get("/ok?pieces", traceContext), pieces: 7},
		{name: "post", wire: fmt.Sprintf("POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)},
		{name: "post in pieces", wire: fmt.Sprintf("POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n%s", body[:5000]), pieces: 700},
		{name: "big", wire: get("/big", "")},
	}
	if pipelining {
		list = append(list, step{name: "pipelined", responses: 4,
			wire: get("/ok?1", traceContext) + get("/missing", "") + get("/ok?2", "") + get("/ok?3", traceContext)})
	}
	if chunkedBodies {
		chunks := fmt.Sprintf("%x\r\n%s\r\n3;x=y\r\nabc\r\n0\r\n\r\n", 3000, body[:3000])
		list = append(list, step{name: "chunked", wire: "POST /post HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks})
	}
	for i := range list {
		list[i].responses = max(list[i].responses, 1)
	}
	return list
}

// noise is n bytes that look like nothing, the same ones every time.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return string(b)
}

// bigBody is long, and full of what looks like heads.
func bigBody() string {
	return strings.Repeat("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1<<20/38)
}
