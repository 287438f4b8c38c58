// SPDX-License-Identifier: Apache-2.0

package selfmetrics

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a Server and ends it, with its client's connections, after the test.
func serve(t *testing.T, source Source) (*Server, func(path string) (int, string)) {
	t.Helper()
	s, err := Listen("127.0.0.1:0", source, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s, func(path string) (int, string) {
		t.Helper()
		response, err := client.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
}

func none(func(Sample)) {}

func TestMetrics(t *testing.T) {
	var spans atomic.Uint64
	_, get := serve(t, func(emit func(Sample)) {
		emit(Sample{Name: "spans_total", Help: "Spans seen.", Value: float64(spans.Load())})
		for _, reason := range []string{"queue_full", "timeout"} {
			emit(Sample{Name: "dropped_total", Help: "Spans lost.", Labels: []Label{{"reason", reason}, {"exporter", "otlp"}}, Value: 2})
		}
		emit(Sample{Name: "queue_spans", Help: "Spans waiting.", Kind: Gauge, Value: 0.5})
	})
	for _, want := range []string{"tracer_agent_spans_total 0\n", "tracer_agent_spans_total 41\n"} {
		code, body := get("/metrics")
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("status %d, no %q in\n%s", code, want, body)
		}
		spans.Store(41)
	}
	_, body := get("/metrics")
	for _, want := range []string{
		"# HELP tracer_agent_spans_total Spans seen.\n# TYPE tracer_agent_spans_total counter\n",
		`tracer_agent_dropped_total{exporter="otlp",reason="queue_full"} 2` + "\n",
		`tracer_agent_dropped_total{exporter="otlp",reason="timeout"} 2` + "\n",
		"# TYPE tracer_agent_queue_spans gauge\ntracer_agent_queue_spans 0.5\n",
		"\ngo_goroutines ",
		"\nprocess_resident_memory_bytes ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}

// A malformed sample is left out; the others stay.
func TestBadSampleHidesNoOther(t *testing.T) {
	_, get := serve(t, func(emit func(Sample)) {
		emit(Sample{Name: "good_total", Help: "Good.", Value: 1})
		emit(Sample{Name: "bad_total", Help: "Bad.", Labels: []Label{{"reason", "\xff"}}, Value: 1})
		emit(Sample{Name: "twice_total", Help: "Twice.", Value: 1})
		emit(Sample{Name: "twice_total", Help: "Twice.", Value: 2})
	})
	code, body := get("/metrics")
	if code != 200 || !strings.Contains(body, "tracer_agent_good_total 1\n") || strings.Contains(body, "bad_total") {
		t.Errorf("status %d\n%s", code, body)
	}
	if strings.Count(body, "\ntracer_agent_twice_total ") != 1 {
		t.Errorf("a sample stands twice in\n%s", body)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	s, get := serve(t, none)
	expect := func(path string, wantCode int, wantBody string) {
		t.Helper()
		if code, body := get(path); code != wantCode || body != wantBody {
			t.Errorf("%s: %d %q, want %d %q", path, code, body, wantCode, wantBody)
		}
	}
	expect("/healthz", 200, "ok\n")
	expect("/readyz", 503, "not ready\n")
	s.SetReady(true)
	expect("/readyz", 200, "ready\n")
	s.SetReady(false)
	expect("/readyz", 503, "not ready\n")
	expect("/other", 404, "404 page not found\n")
}

func TestOnlyReading(t *testing.T) {
	s, _ := serve(t, none)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		response, err := client.Post("http://"+s.Addr().String()+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, response.StatusCode)
		}
	}
}

func TestReachableAddressWarns(t *testing.T) {
	for address, warns := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, ":0": true} {
		var log bytes.Buffer
		s, err := Listen(address, none, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "level=WARN"); got != warns {
			t.Errorf("%s: log %q, want a warning: %v", address, log.String(), warns)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	s, _ := serve(t, none)
	_, err := Listen(s.Addr().String(), none, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "serve metrics: listen tcp 127.0.0.1:") {
		t.Errorf("error %v", err)
	}
}

// A scrape that never ends does not hold Close up for longer than its context.
func TestCloseIsBounded(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, err := Listen("127.0.0.1:0", func(func(Sample)) {
		close(entered)
		<-leave
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	scraped := make(chan error, 1)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
		response, err := client.Get("http://" + s.Addr().String() + "/metrics")
		if err == nil {
			response.Body.Close()
		}
		scraped <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil {
		t.Error("Close ended in time although a request did not")
	}
	close(leave)
	if err := <-scraped; err == nil {
		t.Error("a request that Close cut off was answered")
	}
}
