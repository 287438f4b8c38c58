// SPDX-License-Identifier: Apache-2.0

//go:build links || integration

package links

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	sink *otlptest.Sink
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

// agentOptions says what the agent traces.
type agentOptions struct {
	block   *suite.Ports
	cmdline string   // a text pattern; what matches is selected too, if not empty
	env     []string // further environment
	config  string   // further YAML
}

// startAgent runs the agent, told to record truth ids, and returns when it is ready.
func startAgent(t *testing.T, sink *otlptest.Sink, o agentOptions) *agent {
	t.Helper()
	config := fmt.Sprintf("instrument:\n  - ports: [%q]\n", o.block.Selector())
	if o.cmdline != "" {
		config += fmt.Sprintf("  - cmdline: [%q]\n", o.cmdline)
	}
	config += fmt.Sprintf("http: {capture_request_headers: [%s]}\n", TruthHeader) + o.config
	path := filepath.Join(suite.WorkDir(t), "tracer-agent.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--config", path}
	if backend := os.Getenv("TRACER_BACKEND"); backend != "" {
		args = append(args, "--backend", backend)
	}
	cmd := exec.Command(suite.Program("tracer-agent"), args...)
	cmd.Env = append(suite.AgentEnv(), "OTEL_EXPORTER_OTLP_ENDPOINT="+sink.Endpoint(otlptest.GRPC))
	cmd.Env = append(cmd.Env, o.env...)
	a := &agent{Process: suite.Launch(t, "tracer-agent", cmd), sink: sink}
	suite.Poll(t, 20*time.Second, "the agent is ready", func() bool {
		if !a.Alive() {
			t.Fatalf("the agent ended before it was ready: %v\n%s", a.Err(), suite.Tail(a.Out.String(), 4000))
		}
		return strings.Contains("\n"+a.Out.String(), "\ntracer-agent ready:")
	})
	return a
}

// shutdown sends SIGTERM and requires a successful end.
func (a *agent) shutdown(t *testing.T) {
	t.Helper()
	if !a.Alive() {
		t.Fatalf("the agent ended by itself: %v", a.Err())
	}
	if err := a.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("signal the agent: %v", err)
	}
	select {
	case <-a.Exited():
	case <-time.After(20 * time.Second):
		t.Fatal("the agent did not end within 20 s of SIGTERM")
	}
	if a.Err() != nil {
		t.Errorf("agent's exit after SIGTERM: %v, want 0", a.Err())
	}
}
