// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// loadRecord is one request of the load, as its client saw it.
type loadRecord struct {
	trace, parent string
	start, end    time.Time
}

// load keeps eight keep-alive connections busy until it is stopped.
type load struct {
	mu      sync.Mutex
	records []loadRecord
	errors  []error
	count   atomic.Int64
	stop    context.CancelFunc
	done    sync.WaitGroup
}

func startLoad(t *testing.T, servers ...*server) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	for i := range 8 {
		s := servers[i%len(servers)]
		l.done.Go(func() { l.worker(ctx, fmt.Sprintf("http://127.0.0.1:%d/ok?load", s.port)) })
	}
	t.Cleanup(l.end)
	return l
}

// end stops the load and waits for the requests in flight.
func (l *load) end() {
	l.stop()
	l.done.Wait()
}

func (l *load) worker(ctx context.Context, url string) {
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	pace := time.NewTicker(4 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		rec := loadRecord{trace: newID(16), parent: newID(8), start: time.Now()}
		err := rec.send(client, url)
		rec.end = time.Now()
		l.mu.Lock()
		if err != nil {
			l.errors = append(l.errors, err)
		} else {
			l.records = append(l.records, rec)
		}
		l.mu.Unlock()
		l.count.Add(1)
	}
}

func (r loadRecord) send(client *http.Client, url string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("traceparent", fmt.Sprintf("00-%s-%s-01", r.trace, r.parent))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", url, resp.StatusCode)
	}
	var body limitedBuffer
	if _, err := io.Copy(&body, resp.Body); err != nil || string(body) != "ok\n" {
		return fmt.Errorf("%s: body %q, %w", url, body, err)
	}
	return nil
}

// await blocks until n more requests were made.
func (l *load) await(t *testing.T, n int64) {
	t.Helper()
	target := l.count.Load() + n
	suite.Poll(t, 20*time.Second, fmt.Sprintf("%d more requests", n), func() bool { return l.count.Load() >= target })
}

// window is a period in which an agent was watching for certain.
type window struct{ from, to time.Time }

// TestRestartUnderLoad ends the agent and starts it again while requests flow
// on connections that outlive it: politely, then by SIGKILL. Applications must
// not notice, and every request wholly inside a period in which an agent was
// ready must be told, exactly once.
func TestRestartUnderLoad(t *testing.T) {
	block := suite.NewPorts(t)
	web, ngx := startGo(t, "go", block.Take(t)), startNginx(t, "nginx", block.Take(t))
	sink := newSink(t)
	l := startLoad(t, web, ngx)
	l.await(t, 100)

	var windows []window
	for _, how := range []string{"SIGTERM", "SIGKILL", "SIGTERM"} {
		a := startAgent(t, agentOptions{args: []string{"--port", block.Selector()}, sink: sink})
		// A connection that was open before is traced from its next message on,
		// so the request in flight now may be told or not.
		l.await(t, 16)
		w := window{from: time.Now()}
		l.await(t, 300)
		w.to = time.Now()
		if how == "SIGTERM" {
			a.shutdown(t)
			windows = append(windows, w)
		} else if a.Process != nil {
			a.Kill() // what it had not exported yet is lost, so nothing is certain
		}
		l.await(t, 50)
	}
	l.end()
	l.verify(t, sink, windows)
}

func (l *load) verify(t *testing.T, sink *otlptest.Sink, windows []window) {
	t.Helper()
	if len(l.records) < 1000 {
		t.Errorf("only %d requests were made", len(l.records))
	}
	for _, err := range l.errors {
		t.Errorf("an application noticed: %v", err)
	}
	if trafficOnly() {
		t.Skip("TRACER_AGENT=off: the load ran, no agent was tested")
	}
	truth := &ledger{}
	certain := 0
	for _, r := range l.records {
		e := &expect{label: "load", kind: otlptest.Server, traceID: r.trace, parent: r.parent, method: "GET", path: "/ok", query: "load",
			status: 200, version: "1.1", reqBody: noBody(), respBody: exactly(3), start: r.start, end: r.end, optional: true}
		for _, w := range windows {
			if r.start.After(w.from) && r.end.Before(w.to) {
				e.optional = false
				certain++
			}
		}
		truth.add(e)
	}
	if certain < 300 {
		t.Errorf("only %d requests fell into certain periods", certain)
	}
	for label, list := range truth.compare(sink.Spans()) {
		for i, p := range list {
			if i < 10 {
				t.Errorf("%s: %s", label, p)
			}
		}
		if len(list) > 10 {
			t.Errorf("%s: and %d more", label, len(list)-10)
		}
	}
}

// TestCollectorOutage: while the collector refuses, spans wait; afterwards all
// of them arrive, once.
func TestCollectorOutage(t *testing.T) {
	for _, protocol := range []string{otlptest.GRPC, otlptest.HTTP} {
		t.Run(protocol, func(t *testing.T) {
			block := suite.NewPorts(t)
			th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}, protocol: protocol})
			web := startGo(t, "go", block.Take(t))
			th.agent.sink.Fail(2)
			th.send(t, "requests", func(c *tcase) { keepAlive(c, web) })
			if !trafficOnly() {
				suite.Poll(t, 10*time.Second, "the collector refuses", func() bool { return len(th.agent.sink.Requests()) >= 2 })
			}
			th.send(t, "requests afterwards", func(c *tcase) { keepAlive(c, web) })
			if !trafficOnly() {
				deadline := time.Now().Add(20 * time.Second)
				if _, err := th.agent.sink.WaitUntil(func(s []otlptest.Span) bool { return th.missing(s) == 0 }, deadline); err != nil {
					t.Error(err)
				}
			}
			th.finish(t)
		})
	}
}
