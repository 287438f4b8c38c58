// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// agentOptions says how to run the agent.
type agentOptions struct {
	args     []string // after "run": the selection
	protocol string   // otlptest.GRPC or otlptest.HTTP; GRPC if empty
	gzip     bool
	config   string         // YAML of --config; empty: none
	env      []string       // further environment
	sink     *otlptest.Sink // nil: a new one, closed with the test
}

// agent is a running tracer-agent and the sink that it exports to.
type agent struct {
	*suite.Process
	sink    *otlptest.Sink
	metrics string // URL of /metrics
}

// Limits of the promise: start-up, flush on SIGTERM, memory.
const (
	readyLimit = 10 * time.Second
	stopLimit  = 10 * time.Second
	rssLimit   = 120 << 20
)

func newSink(t *testing.T) *otlptest.Sink {
	t.Helper()
	sink, err := otlptest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	return sink
}

// startAgent runs the agent and returns when it says that it is ready. Without
// an agent (TRACER_AGENT=off) it returns one that never sends a span.
func startAgent(t *testing.T, o agentOptions) *agent {
	t.Helper()
	if o.sink == nil {
		o.sink = newSink(t)
	}
	if trafficOnly() {
		return &agent{sink: o.sink}
	}
	if o.protocol == "" {
		o.protocol = otlptest.GRPC
	}
	listen := suite.NewPorts(t).Addr(t)
	args := append([]string{"run", "--metrics-listen", listen}, o.args...)
	if o.config != "" {
		args = append(args, "--config", configFile(t, o.config))
	}
	if backend := os.Getenv("TRACER_BACKEND"); backend != "" {
		args = append(args, "--backend", backend)
	}
	cmd := exec.Command(suite.Program("tracer-agent"), args...)
	cmd.Env = append(suite.AgentEnv(), "OTEL_EXPORTER_OTLP_ENDPOINT="+o.sink.Endpoint(o.protocol), "OTEL_EXPORTER_OTLP_PROTOCOL="+o.protocol)
	if o.gzip {
		cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_COMPRESSION=gzip")
	}
	cmd.Env = append(cmd.Env, o.env...)
	a := &agent{sink: o.sink, metrics: "http://" + listen + "/metrics"}
	cmd.Stdout = &suite.Output{}
	a.Process = suite.Launch(t, "tracer-agent", cmd)
	suite.Poll(t, readyLimit, "the agent is ready", func() bool {
		if !a.Alive() {
			t.Fatalf("tracer-agent %s ended before it was ready: %v\n%s", strings.Join(args, " "), a.Err(), a.Out)
		}
		return readyLine.MatchString(a.Out.String())
	})
	return a
}

// configFile writes a configuration and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(suite.WorkDir(t), "tracer-agent.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var readyLine = regexp.MustCompile(`(?m)^tracer-agent ready:`)

// stdout returns what the agent printed there so far.
func (a *agent) stdout() string {
	if a.Process == nil {
		return ""
	}
	return a.Cmd.Stdout.(*suite.Output).String()
}

// selectedProcesses is the metric that counts them.
const selectedProcesses = `tracer_agent_processes{verdict="selected"}`

// selecting starts a program and returns once the agent has selected n more
// processes: what user space judges after its exec it judges late on a busy machine.
func (a *agent) selecting(t *testing.T, n int, start func()) {
	t.Helper()
	if trafficOnly() {
		start()
		return
	}
	before := a.scrape(t)[selectedProcesses]
	start()
	suite.Poll(t, readyLimit, fmt.Sprintf("%d more processes are selected", n), func() bool {
		return a.scrape(t)[selectedProcesses] >= before+float64(n)
	})
}

// acquaint runs a program once, while it waits for its standard input, until the
// agent has judged it. What the agent knows is selected from its first instruction on;
// a program that is executed for the first time may have ended before it is judged.
func (a *agent) acquaint(t *testing.T, args ...string) {
	t.Helper()
	if trafficOnly() {
		return
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PYTHONHOME=/usr")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	before := a.scrape(t)[selectedProcesses]
	var p *suite.Process
	a.selecting(t, 1, func() { p = suite.Launch(t, filepath.Base(args[0])+" to be judged", cmd) })
	stdin.Close() // the end of what it reads ends it
	<-p.Exited()
	suite.Poll(t, readyLimit, args[0]+" is gone", func() bool { return a.scrape(t)[selectedProcesses] == before })
}

// shutdown sends SIGTERM and requires a prompt, successful end.
func (a *agent) shutdown(t *testing.T) {
	t.Helper()
	if a.Process == nil {
		return
	}
	if err := a.terminate(t); err != nil {
		t.Errorf("agent's exit after SIGTERM: %v, want 0\n%s", err, suite.Tail(a.Out.String(), 8000))
	}
}

// terminate sends SIGTERM, requires a prompt end and returns how it ended.
func (a *agent) terminate(t *testing.T) error {
	t.Helper()
	if !a.Alive() {
		t.Fatalf("the agent ended by itself: %v\n%s", a.Err(), suite.Tail(a.Out.String(), 8000))
	}
	if err := a.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("signal the agent: %v", err)
	}
	select {
	case <-a.Exited():
	case <-time.After(stopLimit):
		t.Fatalf("the agent did not end within %s of SIGTERM", stopLimit)
	}
	return a.Err()
}

// scrape reads the agent's own metrics: series (name with labels) to value.
func (a *agent) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get(a.metrics)
	if err != nil {
		t.Fatalf("scrape the agent: %v", err)
	}
	defer resp.Body.Close()
	series, err := parseMetrics(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("scrape the agent: status %d, %v", resp.StatusCode, err)
	}
	return series
}

// parseMetrics reads the Prometheus text format.
func parseMetrics(r io.Reader) (map[string]float64, error) {
	series := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			return nil, fmt.Errorf("bad metrics line %q", line)
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("bad metrics line %q: %w", line, err)
		}
		series[line[:at]] = v
	}
	return series, lines.Err()
}

// rss returns the resident set of the agent and its peak, in bytes.
func (a *agent) rss(t *testing.T) (now, peak int64) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(a.PID()), "status"))
	if err != nil {
		t.Fatalf("read the agent's memory use: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			now = kb << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			peak = kb << 10
		}
	}
	return now, peak
}
