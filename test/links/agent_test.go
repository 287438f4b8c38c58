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
)

// agent is a running tracer-agent and the sink that it exports to.
type agent struct {
	*process
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
	block   *ports
	cmdline string   // a text pattern; what matches is selected too, if not empty
	env     []string // further environment
	config  string   // further YAML
}

// startAgent runs the agent, told to record truth ids, and returns when it is ready.
func startAgent(t *testing.T, sink *otlptest.Sink, o agentOptions) *agent {
	t.Helper()
	config := fmt.Sprintf("instrument:\n  - ports: [%q]\n", o.block.selector())
	if o.cmdline != "" {
		config += fmt.Sprintf("  - cmdline: [%q]\n", o.cmdline)
	}
	config += fmt.Sprintf("http: {capture_request_headers: [%s]}\n", TruthHeader) + o.config
	path := filepath.Join(workDir(t), "tracer-agent.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--config", path}
	if backend := os.Getenv("TRACER_BACKEND"); backend != "" {
		args = append(args, "--backend", backend)
	}
	cmd := exec.Command(built("tracer-agent"), args...)
	cmd.Env = append(agentEnv(), "OTEL_EXPORTER_OTLP_ENDPOINT="+sink.Endpoint(otlptest.GRPC))
	cmd.Env = append(cmd.Env, o.env...)
	a := &agent{process: launch(t, "tracer-agent", cmd), sink: sink}
	poll(t, 20*time.Second, "the agent is ready", func() bool {
		if !a.alive() {
			t.Fatalf("the agent ended before it was ready: %v\n%s", a.err, a.out.tail(4000))
		}
		return strings.Contains("\n"+a.out.String(), "\ntracer-agent ready:")
	})
	return a
}

// agentEnv is this environment without what would configure the agent.
func agentEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "OTEL_") && !strings.HasPrefix(kv, "TRACER_AGENT_") {
			env = append(env, kv)
		}
	}
	return env
}

// shutdown sends SIGTERM and requires a successful end.
func (a *agent) shutdown(t *testing.T) {
	t.Helper()
	if !a.alive() {
		t.Fatalf("the agent ended by itself: %v", a.err)
	}
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("signal the agent: %v", err)
	}
	select {
	case <-a.exited:
	case <-time.After(20 * time.Second):
		t.Fatal("the agent did not end within 20 s of SIGTERM")
	}
	if a.err != nil {
		t.Errorf("agent's exit after SIGTERM: %v, want 0", a.err)
	}
}
