// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRunSendsEachRequestOnce(t *testing.T) {
	var mu sync.Mutex
	targets := map[string]int{}
	peers := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		targets[r.URL.Path]++
		peers[r.RemoteAddr] = true
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()

	got := Run(Plan{Addr: strings.TrimPrefix(server.URL, "http://"), Path: "/n", Numbered: true, Requests: 50, Connections: 3})

	if got.OK != 50 || got.Failed != 0 {
		t.Errorf("OK = %d, Failed = %d, want 50 and 0", got.OK, got.Failed)
	}
	for n := range 50 {
		if c := targets[fmt.Sprintf("/n/%d", n)]; c != 1 {
			t.Errorf("request %d came %d times", n, c)
		}
		if got.Ends[n].IsZero() {
			t.Errorf("request %d has no end", n)
		}
	}
	if len(peers) > 3 {
		t.Errorf("%d connections were opened, want at most 3", len(peers))
	}
}

func TestRunCountsFailures(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/n/3" {
			w.WriteHeader(http.StatusTeapot)
		}
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "x")
	}))
	defer server.Close()

	got := Run(Plan{Addr: strings.TrimPrefix(server.URL, "http://"), Path: "/n", Numbered: true, Requests: 10, Connections: 2})

	if got.OK != 9 || got.Failed != 1 || !got.Ends[3].IsZero() {
		t.Errorf("OK = %d, Failed = %d, end of the failed one %v", got.OK, got.Failed, got.Ends[3])
	}
}

func TestRunKeepsItsRate(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") }))
	defer server.Close()

	got := Run(Plan{Addr: strings.TrimPrefix(server.URL, "http://"), Path: "/", Requests: 20, Connections: 4, Rate: 100})

	// The last of 20 requests is due after 190 ms; a slow machine may be later.
	if got.Elapsed < 190*time.Millisecond {
		t.Errorf("20 requests at 100 per second took %v", got.Elapsed)
	}
}

func TestPercentile(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for _, c := range []struct {
		p    float64
		want time.Duration
	}{{0, 1}, {0.2, 1}, {0.5, 3}, {0.99, 5}, {1, 5}} {
		if got := Percentile(values, c.p); got != c.want {
			t.Errorf("Percentile(%v) = %d, want %d", c.p, got, c.want)
		}
	}
	if got := Percentile(nil, 0.5); got != 0 {
		t.Errorf("Percentile of nothing = %d", got)
	}
}
