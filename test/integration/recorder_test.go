// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is the server that clients under test talk to. It belongs to the
// test process, is selected by no agent, and writes down what it saw.
type recorder struct {
	srv *httptest.Server
	mu  sync.Mutex
	log map[string]recorded // by trace id, or by request URI without one
}

type recorded struct {
	parent     string
	arrived    time.Time // the head was read
	done       time.Time // the answer was written
	bodySize   int64
	replySize  int64
	status     int
	version    string
	userAgent  string
	remotePort int
}

// newRecorder serves on addr ("127.0.0.1:0" or "[::1]:0").
func newRecorder(t *testing.T, addr string) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{log: map[string]recorded{}}
	r.srv = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.srv.Listener.Close()
	r.srv.Listener = l
	r.srv.Start()
	t.Cleanup(r.srv.Close)
	return r
}

func (r *recorder) serve(w http.ResponseWriter, req *http.Request) {
	rec := recorded{arrived: time.Now(), version: strings.TrimPrefix(req.Proto, "HTTP/"), userAgent: req.UserAgent()}
	key, parent := splitTraceparent(req.Header.Get("Traceparent"))
	if key == "" {
		key = req.URL.RequestURI()
	}
	rec.parent = parent
	if _, port, err := net.SplitHostPort(req.RemoteAddr); err == nil {
		fmt.Sscan(port, &rec.remotePort)
	}
	rec.bodySize, _ = io.Copy(io.Discard, req.Body)
	rec.status, rec.replySize = answer(w, req)
	rec.done = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log[key] = rec
}

// answer routes like the applications do; it returns what it sent.
func answer(w http.ResponseWriter, req *http.Request) (status int, n int64) {
	var size int
	body := "ok\n"
	switch {
	case req.URL.Path == "/missing":
		status, body = http.StatusNotFound, "no\n"
	case req.URL.Path == "/fail":
		status, body = http.StatusServiceUnavailable, "bad\n"
	case req.URL.Path == "/empty":
		w.WriteHeader(http.StatusNoContent)
		return http.StatusNoContent, 0
	default:
		status = http.StatusOK
		if _, err := fmt.Sscanf(req.URL.Path, "/size/%d", &size); err == nil {
			body = pattern(size)
		} else if _, err := fmt.Sscanf(req.URL.Path, "/chunked/%d", &size); err == nil {
			body = pattern(size)
			w.WriteHeader(status)
			w.(http.Flusher).Flush()
		}
	}
	if req.URL.Path != "/chunked/2000" {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
	}
	if req.Method == http.MethodHead {
		return status, 0
	}
	io.WriteString(w, body)
	return status, int64(len(body))
}

func splitTraceparent(v string) (trace, parent string) {
	parts := strings.Split(v, "-")
	if len(parts) != 4 {
		return "", ""
	}
	return parts[1], parts[2]
}

func (r *recorder) get(key string) (recorded, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, ok := r.log[key]
	return rec, ok
}
