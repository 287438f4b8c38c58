// SPDX-License-Identifier: Apache-2.0

// Command webserver is the Go net/http server under test. It serves the routes
// that every test application has (see apps_test.go) on TCP addresses and unix
// socket paths given as arguments, e.g. "127.0.0.1:8080" "unix:/tmp/s".
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	mux := routes()
	var serving sync.WaitGroup
	for _, arg := range os.Args[1:] {
		network, addr := "tcp", arg
		if path, ok := strings.CutPrefix(arg, "unix:"); ok {
			network, addr = "unix", path
		}
		l, err := net.Listen(network, addr)
		if err != nil {
			log.Fatalf("listen on %s: %v", arg, err)
		}
		serving.Go(func() { log.Fatal(http.Serve(l, mux)) })
	}
	serving.Wait()
}

func routes() *http.ServeMux {
	mux := http.NewServeMux()
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	mux.HandleFunc("/ok", text(http.StatusOK, "ok\n"))
	mux.HandleFunc("/", text(http.StatusNotFound, "no\n"))
	mux.HandleFunc("/fail", text(http.StatusInternalServerError, "bad\n"))
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/notmodified", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	mux.HandleFunc("/size/{n}", size)
	mux.HandleFunc("/zeros/{n}", zeros)
	mux.HandleFunc("/chunked/{n}", chunked)
	mux.HandleFunc("/trailers", trailers)
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/discard", discard)
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); panic(http.ErrAbortHandler) })
	mux.HandleFunc("/endless", endless)
	mux.HandleFunc("/barrier/{n}", newBarrier().serve)
	return mux
}

// pattern returns the n bytes that /size and /chunked answer with.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}

func count(r *http.Request) int {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 {
		panic(http.ErrAbortHandler)
	}
	return n
}

func size(w http.ResponseWriter, r *http.Request) {
	b := pattern(count(r))
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// zeros streams n zero bytes without holding them.
func zeros(w http.ResponseWriter, r *http.Request) {
	n := count(r)
	w.Header().Set("Content-Length", strconv.Itoa(n))
	buf := make([]byte, 256<<10)
	for n > 0 {
		k, err := w.Write(buf[:min(n, len(buf))])
		if err != nil {
			return
		}
		n -= k
	}
}

func chunked(w http.ResponseWriter, r *http.Request) {
	for b := pattern(count(r)); len(b) > 0; b = b[min(len(b), 1000):] {
		w.Write(b[:min(len(b), 1000)])
		w.(http.Flusher).Flush()
	}
}

func trailers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", "X-Sum")
	w.Write(pattern(300))
	w.(http.Flusher).Flush()
	w.Write(pattern(300))
	w.Header().Set("X-Sum", "abc")
}

// stream answers in four pieces of 100 bytes, 250 ms apart.
func stream(w http.ResponseWriter, _ *http.Request) {
	for i := range 4 {
		if i > 0 {
			<-time.After(250 * time.Millisecond)
		}
		w.Write(pattern(100))
		w.(http.Flusher).Flush()
	}
}

// endless answers 200 with a declared length that it never reaches.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000000000000")
	for r.Context().Err() == nil {
		if _, err := w.Write(pattern(1 << 16)); err != nil {
			return
		}
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func discard(w http.ResponseWriter, r *http.Request) {
	n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r.Body}, make([]byte, 256<<10))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%d\n", n)
}

// barrier answers its requests only when n of them are in flight.
type barrier struct {
	mu      sync.Mutex
	waiting int
	open    chan struct{}
}

func newBarrier() *barrier { return &barrier{open: make(chan struct{})} }

func (b *barrier) serve(w http.ResponseWriter, r *http.Request) {
	n := count(r)
	b.mu.Lock()
	open := b.open
	if b.waiting++; b.waiting == n {
		close(open)
		b.waiting, b.open = 0, make(chan struct{})
	}
	b.mu.Unlock()
	select {
	case <-open:
		io.WriteString(w, "open\n")
	case <-r.Context().Done():
	}
}
