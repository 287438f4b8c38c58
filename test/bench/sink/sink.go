// SPDX-License-Identifier: Apache-2.0

// Package sink counts spans: an OTLP/HTTP (protobuf) receiver that keeps no
// span, so that it costs a benchmark little. It reads only the fields that it
// counts by.
package sink

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Counts is what has arrived since the last Reset.
type Counts struct {
	Server int       // spans of kind SERVER
	Other  int       // spans of all other kinds
	Repeat int       // spans whose id had been seen already; they count above too
	Posts  int       // export requests
	Bytes  int64     // their bodies as sent, compressed or not
	Broken int       // export requests that could not be decoded
	First  time.Time // when the first span arrived; zero if none has
}

// Spans returns the number of all spans.
func (c Counts) Spans() int { return c.Server + c.Other }

// Sink receives spans on 127.0.0.1. Its methods may be called from any goroutine.
type Sink struct {
	url     string
	server  *http.Server
	serving sync.WaitGroup

	mu       sync.Mutex
	counts   Counts
	ids      map[[8]byte]struct{}
	arrivals map[string]time.Time // by url.path; nil unless Track was called
}

// New starts a Sink on a free port. The caller must Close it.
func New() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for OTLP: %w", err)
	}
	s := &Sink{url: "http://" + listener.Addr().String(), ids: map[[8]byte]struct{}{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", s.traces)
	mux.HandleFunc("POST /", accept) // metrics and logs of other agents
	s.server = &http.Server{Handler: mux}
	s.serving.Go(func() { _ = s.server.Serve(listener) }) // ends by Close
	return s, nil
}

// Close stops the server.
func (s *Sink) Close() {
	_ = s.server.Close()
	s.serving.Wait()
}

// URL is the value for OTEL_EXPORTER_OTLP_ENDPOINT.
func (s *Sink) URL() string { return s.url }

// Counts returns the counts since the last Reset.
func (s *Sink) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Reset sets all counts to zero and ends tracking.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = Counts{}
	s.ids = map[[8]byte]struct{}{}
	s.arrivals = nil
}

// Track makes the sink note when each url.path of a SERVER span first arrives.
func (s *Sink) Track() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = map[string]time.Time{}
}

// Arrival returns when a SERVER span with that url.path first arrived.
func (s *Sink) Arrival(path string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.arrivals[path]
	return t, ok
}

func accept(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (s *Sink) traces(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	counted := &countingReader{r: r.Body}
	body, err := readBody(counted, r.Header.Get("Content-Encoding"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Posts++
	s.counts.Bytes += counted.n
	if err := s.request(body, now); err != nil {
		s.counts.Broken++
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// countingReader counts the bytes read through it.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func readBody(r io.Reader, encoding string) ([]byte, error) {
	if encoding == "gzip" {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("open gzip body: %w", err)
		}
		r = z
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}
