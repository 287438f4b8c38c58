// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

const wrkConnections = 8

// wrk runs wrk for a second against url. Span ids that it sends begin with
// prefix. pause is what each connection waits before a request; 0 is none. It
// returns how many responses wrk counted.
func wrk(t *testing.T, path, url, trace, prefix string, pause time.Duration) int {
	t.Helper()
	out, err := exec.Command(path, "-t1", "-c", strconv.Itoa(wrkConnections), "-d1s", "-s", appFile(t, "wrk.lua"), url, "--",
		trace, prefix, strconv.FormatFloat(pause.Seconds()*1000, 'f', 3, 64)).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	found := regexp.MustCompile(`RESULT requests=(\d+) bytes=\d+ errors=(\d+)`).FindSubmatch(out)
	if found == nil || string(found[2]) != "0" {
		t.Fatalf("wrk reports errors:\n%s", out)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil || n < 50 {
		t.Fatalf("wrk made %d requests, %v", n, err)
	}
	return n
}

// wrkRun is one run of wrk and what its spans must be.
type wrkRun struct {
	name          string
	kind          otlptest.Kind
	trace, prefix string
	answered      int
}

// TestServersUnderWrk counts: every server answers as fast as it can for a
// second, and exactly the requests that wrk made are told or counted as lost.
// wrk leaves at the end with up to one request in flight per connection.
func TestServersUnderWrk(t *testing.T) {
	block := suite.NewPorts(t)
	a := startAgent(t, agentOptions{args: []string{"--port", block.Selector()}})
	var runs []wrkRun
	for _, ap := range apps() {
		if ap.name == "python10" {
			continue // a connection per request at full speed uses up the ports
		}
		s := ap.start(t, ap.name, block.Take(t))
		r := wrkRun{name: ap.name, kind: otlptest.Server, trace: newID(16), prefix: newID(4)}
		r.answered = wrk(t, "/usr/bin/wrk", fmt.Sprintf("http://127.0.0.1:%d/ok", s.port), r.trace, r.prefix, 0)
		runs = append(runs, r)
		s.Stop()
	}
	verifyRuns(t, a, runs)
}

// TestWrkAsClient selects wrk itself.
func TestWrkAsClient(t *testing.T) {
	dir := suite.WorkDir(t)
	path := copyProgram(t, "/usr/bin/wrk", dir)
	a := startAgent(t, agentOptions{args: []string{"--exe", path}, protocol: otlptest.HTTP})
	a.acquaint(t, path, "-s", "/dev/stdin", "http://127.0.0.1:1/")
	s := startNginx(t, "nginx", suite.NewPorts(t).Take(t))
	r := wrkRun{name: "wrk", kind: otlptest.Client, trace: newID(16), prefix: newID(4)}
	r.answered = wrk(t, path, fmt.Sprintf("http://127.0.0.1:%d/ok", s.port), r.trace, r.prefix, 0)
	verifyRuns(t, a, []wrkRun{r})
}

func verifyRuns(t *testing.T, a *agent, runs []wrkRun) {
	t.Helper()
	total := 0
	for _, r := range runs {
		t.Logf("%s: %d requests", r.name, r.answered)
		total += r.answered
	}
	if trafficOnly() {
		t.Skip("TRACER_AGENT=off: wrk was answered, no agent was tested")
	}
	books := a.settled(t)
	books.check(t)
	lost := books.lost()
	a.shutdown(t)
	byRun := map[string][]otlptest.Span{}
	for _, s := range a.sink.Spans() {
		byRun[s.TraceID] = append(byRun[s.TraceID], s)
	}
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) { r.verify(t, byRun[r.trace], lost > 0) })
		total -= len(byRun[r.trace])
		delete(byRun, r.trace)
	}
	// At the machine's limit spans may be lost, but not in silence.
	t.Logf("%d spans are missing, %v requests are counted as lost", max(total, 0), lost)
	if float64(total) > lost {
		t.Errorf("%d spans are missing, but %v requests are counted as lost", total, lost)
	}
	for trace, spans := range byRun {
		t.Errorf("%d spans of an unknown trace %s, such as %s", len(spans), trace, &spans[0])
	}
}

// verify checks the spans of one run; lossy says that losses were counted, and
// then spans may be missing, but none may be doubled, wrong or made up.
func (r wrkRun) verify(t *testing.T, spans []otlptest.Span, lossy bool) {
	whole := 0
	seen := map[string]bool{}
	for i := range spans {
		s := &spans[i]
		if !strings.HasPrefix(s.Parent, r.prefix) || seen[s.Parent] || s.Kind != r.kind {
			t.Fatalf("twice, or not wrk's: %s", s)
		}
		seen[s.Parent] = true
		status, ok := s.Int("http.response.status_code")
		switch {
		case ok && status == 200 && !s.Has("error.type"):
			whole++
		case ok && status != 200, !s.Has("error.type"):
			t.Fatalf("neither answered nor cut short: %s", s)
		}
	}
	if whole < r.answered && !lossy || whole > r.answered+wrkConnections || len(spans) > r.answered+2*wrkConnections {
		t.Errorf("%d spans, %d of them answered; wrk counted %d answers (and at most %d in flight at its end)",
			len(spans), whole, r.answered, wrkConnections)
	}
}
