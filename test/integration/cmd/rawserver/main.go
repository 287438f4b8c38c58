// SPDX-License-Identifier: Apache-2.0

// Command rawserver answers with exact bytes, well-formed or not, so that tests
// control framing and faults. Usage: rawserver MODE ADDR, where MODE is
//
//	http     read HTTP requests; the target's path names a script (script.go)
//	garbage  read everything, whatever it is, and send random bytes back
package main

import (
	"bufio"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: rawserver http|garbage ADDR")
	}
	serve, ok := map[string]func(*net.TCPConn){"http": serveHTTP, "garbage": serveGarbage}[os.Args[1]]
	if !ok {
		log.Fatalf("unknown mode %q", os.Args[1])
	}
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn.(*net.TCPConn))
	}
}

// serveHTTP runs one script per request until a script or the client ends the
// connection.
func serveHTTP(conn *net.TCPConn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		x := &exchange{conn: conn, in: in, req: req}
		if !x.run() {
			return
		}
	}
}

// serveGarbage answers every read with random bytes until the client ends.
func serveGarbage(conn *net.TCPConn) {
	defer conn.Close()
	rng := rand.NewChaCha8([32]byte{1})
	buf, out := make([]byte, 64<<10), make([]byte, 1<<10)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
		if _, err := io.CopyN(sliceWriter(out), rng, int64(len(out))); err != nil {
			return
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// sliceWriter overwrites itself from its start.
type sliceWriter []byte

func (s sliceWriter) Write(p []byte) (int, error) { return copy(s, p), nil }
