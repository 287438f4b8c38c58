// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// exchange is one request and the connection to answer on.
type exchange struct {
	conn *net.TCPConn
	in   *bufio.Reader
	req  *http.Request
}

// Fixed answers: path to the bytes sent in one write after the request body was
// read. "~" in front ends the connection after them.
var answers = map[string]string{
	"/plain":      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"/close":      "~HTTP/1.1 200 OK\r\nServer: raw\r\n\r\nuntil the end",
	"/close10":    "~HTTP/1.0 200 OK\r\n\r\nuntil the end",
	"/keep10":     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nyes",
	"/hints":      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
	"/length304":  "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n",
	"/no-content": "HTTP/1.1 204 No Content\r\n\r\n",
	"/extensions": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n00A;c=\"d\"\r\n0123456789\r\n0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n",
	"/no-reason":  "HTTP/1.1 299 \r\nContent-Length: 2\r\n\r\nok",
	"/nested":     "HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\nGET /nested HTTP/1.1\r\n\r\n..",
	"/lower":      "HTTP/1.1 200 OK\r\ncontent-length:4\r\nX-Fold: a\r\n b\r\n\r\nfold",
	"/big-head":   "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("f", 100)+"\r\n", 40) + "Content-Length: 4\r\n\r\nhead",
	"/gone":       "~HTTP/1.1 410 Gone\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngone",
	"/short":      "~HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this",
	"/nothing":    "~",
}

// run answers and says whether the connection stays an HTTP connection.
func (x *exchange) run() bool {
	path := x.req.URL.Path
	switch {
	case x.req.Method == http.MethodConnect:
		return x.tunnel("HTTP/1.1 200 Connection established\r\n\r\n")
	case path == "/upgrade":
		return x.tunnel("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	case path == "/early":
		return x.early()
	case path == "/crash":
		x.crash("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart")
	case path == "/crash-silent":
		x.crash("")
	case path == "/reset":
		return x.reset()
	}
	io.Copy(io.Discard, x.req.Body)
	switch path {
	case "/bytes":
		return x.slowly("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Slow: yes\r\n\r\nbytes")
	case "/stuck":
		io.Copy(io.Discard, x.in)
		return false
	}
	return x.fixed(path)
}

// fixed sends the answer of path; HEAD gets its head alone.
func (x *exchange) fixed(path string) bool {
	answer, ok := answers[path]
	if !ok {
		answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"
	}
	answer, last := strings.CutPrefix(answer, "~")
	if x.req.Method == http.MethodHead {
		head, _, _ := strings.Cut(answer, "\r\n\r\n")
		answer = head + "\r\n\r\n"
	}
	_, err := x.conn.Write([]byte(answer))
	return err == nil && !last
}

// tunnel grants another protocol and echoes whatever follows.
func (x *exchange) tunnel(head string) bool {
	if _, err := io.WriteString(x.conn, head); err == nil {
		io.Copy(x.conn, x.in)
	}
	return false
}

// early refuses before the request body was read, then drains it so that the
// answer is not lost to a reset.
func (x *exchange) early() bool {
	io.WriteString(x.conn, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbig\n")
	x.conn.CloseWrite()
	io.Copy(io.Discard, x.req.Body)
	return false
}

// crash sends part of an answer and kills this process.
func (x *exchange) crash(part string) {
	io.Copy(io.Discard, x.req.Body)
	io.WriteString(x.conn, part)
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Kill()
	}
	select {}
}

// reset ends the connection with a TCP reset in the middle of the answer.
func (x *exchange) reset() bool {
	io.Copy(io.Discard, x.req.Body)
	io.WriteString(x.conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart")
	// The client acknowledges by one byte that it has the part, since a reset
	// may discard what it has not read.
	x.in.ReadByte()
	x.conn.SetLinger(0)
	return false
}

// slowly sends one byte per write.
func (x *exchange) slowly(answer string) bool {
	x.conn.SetNoDelay(true)
	for i := range answer {
		if _, err := io.WriteString(x.conn, answer[i:i+1]); err != nil {
			return false
		}
		<-time.After(200 * time.Microsecond)
	}
	return true
}
