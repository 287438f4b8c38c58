// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// agent is a running tracer-agent and the sink that it exports to.
type agent struct {
	*suite.Process
	sink   *otlptest.Sink
	listen string
	config string // its file
}

// agentConfig is a configuration with what every test needs.
func (c *controlPlane) agentConfig(rules string) string {
	return c.agentConfigAs(agentToken, rules)
}

func (c *controlPlane) agentConfigAs(token, rules string) string {
	return fmt.Sprintf("kubernetes: {kubeconfig: %q, node_name: %s}\nlog: {level: debug}\n%s", c.kubeconfig(token), nodeName, rules)
}

func newSink(t *testing.T) *otlptest.Sink {
	t.Helper()
	sink, err := otlptest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	return sink
}

// startAgent runs the agent and waits until it says that it captures.
func startAgent(t *testing.T, config string) *agent {
	t.Helper()
	a := &agent{sink: newSink(t), listen: "127.0.0.1:" + freePort(t), config: filepath.Join(t.TempDir(), "config.yaml")}
	if err := os.WriteFile(a.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return a.run(t)
}

func (a *agent) run(t *testing.T) *agent {
	t.Helper()
	cmd := exec.Command(os.Getenv("TRACER_AGENT"), "run", "--config", a.config, "--metrics-listen", a.listen, "--stdout", "json")
	cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+a.sink.Endpoint(otlptest.GRPC), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	a.Process = start(t, "tracer-agent", cmd)
	t.Cleanup(func() {
		if strings.Contains(a.Out.String(), agentToken) {
			t.Error("the agent's token is in its output")
		}
	})
	suite.Poll(t, 20*time.Second, "the agent captures", func() bool {
		if !a.Alive() {
			t.Fatalf("the agent ended: %v\n%s", a.Err(), a.Out)
		}
		return strings.Contains(a.Out.String(), "tracer-agent ready:")
	})
	return a
}

// ready waits for /readyz.
func (a *agent) ready(t *testing.T) *agent {
	t.Helper()
	suite.Poll(t, 20*time.Second, "/readyz answers 200", a.isReady)
	return a
}

func (a *agent) isReady() bool {
	resp, err := http.Get("http://" + a.listen + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// metric returns the value of one series, 0 if there is none.
func (a *agent) metric(t *testing.T, series string) float64 {
	t.Helper()
	resp, err := http.Get("http://" + a.listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "tracer_agent_"+series+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// stop ends the agent and requires that it ends well.
func (a *agent) stop(t *testing.T) {
	t.Helper()
	if err := a.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-a.Exited():
	case <-time.After(15 * time.Second):
		t.Fatal("the agent did not end")
	}
	if a.Err() != nil {
		t.Errorf("the agent ended with %v", a.Err())
	}
}

// span returns the span of the request with a path, once it arrives.
func (a *agent) span(t *testing.T, path string) otlptest.Span {
	t.Helper()
	var found otlptest.Span
	suite.Poll(t, 10*time.Second, "a span of "+path, func() bool {
		spans := a.spans(path)
		if len(spans) > 0 {
			found = spans[0]
		}
		return len(spans) > 0
	})
	return found
}

// spans returns those that have arrived of requests with a path.
func (a *agent) spans(path string) []otlptest.Span {
	var found []otlptest.Span
	for _, s := range a.sink.Spans() {
		if s.Str("url.path") == path || strings.HasSuffix(s.Str("url.full"), path) {
			found = append(found, s)
		}
	}
	return found
}

// traced asks the server until a request of it is traced, and says how long that took.
func (a *agent) traced(t *testing.T, c *container, limit time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	for i := 0; ; i++ {
		path := fmt.Sprintf("/probe-%d-%d", c.PID(), begin.UnixNano()+int64(i))
		asked := time.Now()
		get(t, c.url+path)
		for time.Since(asked) < 600*time.Millisecond {
			if len(a.spans(path)) > 0 {
				return asked.Sub(begin)
			}
			<-time.After(20 * time.Millisecond)
		}
		if asked.Sub(begin) > limit {
			t.Fatalf("nothing of %s is traced after %s", c.url, limit)
		}
	}
}

// flushed waits until everything before is handled: a request to a server that is
// traced has its span.
func (a *agent) flushed(t *testing.T, witness *container) {
	t.Helper()
	path := fmt.Sprintf("/witness-%d", time.Now().UnixNano())
	get(t, witness.url+path)
	a.span(t, path)
}

// selected waits until the kernel selects as many processes and cgroups.
func (a *agent) selected(t *testing.T, processes int) {
	t.Helper()
	suite.Poll(t, 10*time.Second, fmt.Sprintf("%d processes are selected", processes), func() bool {
		return int(a.metric(t, `processes{verdict="selected"}`)) == processes
	})
}
