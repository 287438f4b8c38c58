// SPDX-License-Identifier: Apache-2.0

//go:build integration

package harm

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// noiseMark is the first byte of a connection that is not HTTP: the mirror
// sends back whatever follows.
const noiseMark = 0

// mirror is the server role: it listens on a TCP address and on a unix socket
// and answers every request with a digest of the very bytes that arrived.
func mirror(addr, path string) error {
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	unix, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	failed := make(chan error, 2)
	for _, l := range []net.Listener{tcp, unix} {
		go func() { failed <- accept(l) }()
	}
	return <-failed
}

func accept(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go func() {
			defer conn.Close()
			if err := reflect(conn); err != nil {
				fmt.Fprintln(os.Stderr, "mirror:", err)
			}
		}()
	}
}

// reflect serves one connection. An error is what no client of the test causes.
func reflect(conn net.Conn) error {
	var seen bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &seen))
	first, err := in.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("first byte: %w", err)
	case first[0] == noiseMark:
		if _, err := conn.Write(seen.Bytes()[1:]); err != nil {
			return fmt.Errorf("noise: %w", err)
		}
		_, err := io.Copy(conn, conn) // splices where it can
		return err
	}
	for {
		req, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return fmt.Errorf("body of the request: %w", err)
		}
		// What was read ahead belongs to the next request.
		sum := sha256.Sum256(seen.Next(seen.Len() - in.Buffered()))
		if err := answer(conn, req, fmt.Sprintf("%x\n", sum)); err != nil {
			return fmt.Errorf("response: %w", err)
		}
	}
}

// answer writes head and body in two buffers of one call, or chunks.
func answer(conn net.Conn, req *http.Request, body string) error {
	status := "200 OK"
	switch {
	case req.URL.Path == "/missing":
		status = "404 Not Found"
	case req.URL.Path == "/big":
		body += bigBody()
	case strings.HasSuffix(req.URL.RawQuery, "pieces"):
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		return err
	}
	buffers := net.Buffers{fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n", status, len(body))}
	if req.Method != http.MethodHead {
		buffers = append(buffers, []byte(body))
	}
	_, err := buffers.WriteTo(conn)
	return err
}
