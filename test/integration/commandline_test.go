// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// invocation is a call of the agent that ends by itself.
type invocation struct {
	name   string
	args   []string
	code   int
	stdout []string // parts of it
	stderr []string
}

// TestCommandLine: exit codes and the places of mistakes. 0 is success, 1 a
// failure of this machine or of what was asked about, 2 a mistake in flags or file.
func TestCommandLine(t *testing.T) {
	if trafficOnly() {
		t.Skip("TRACER_AGENT=off: there is no command line to test")
	}
	bad := configFile(t, "instrument:\n  - ports: [\"8080\"]\n    exee: [\"/x\"]\nsampling: {ratio: 7}\nhttp: {capture_request_headers: [cookie]}\n")
	broken := configFile(t, "instrument: [\n")
	good := configFile(t, "instrument: [{exe: [/nowhere/*]}]\n")
	problems := []string{bad + ":3:5: ", "exee", "did you mean exe?", bad + ":4:12: ", "sampling.ratio", bad + ":5:", "cookie"}
	block := suite.NewPorts(t)
	port := block.Take(t)
	s := startGo(t, "go", port)
	pid, selector := fmt.Sprint(s.PID()), block.Selector()
	for _, in := range []invocation{
		{"version", []string{"version"}, 0, []string{"tracer-agent"}, nil},
		{"help", []string{"--help"}, 0, []string{"run", "check", "why", "demo", "version"}, nil},
		{"check", []string{"check"}, 0, []string{"This machine can trace, by backend "}, nil},
		{"check of a file", []string{"check", "--config", good}, 0, []string{"Configuration: no problems"}, nil},
		{"check of a bad file", []string{"check", "--config", bad}, 2, problems, nil},
		{"check of what is no YAML", []string{"check", "--config", broken}, 2, []string{broken + ":"}, nil},
		{"check of no file", []string{"check", "--config", good + ".absent"}, 2, []string{good + ".absent: "}, nil},
		{"run of a bad file", []string{"run", "--config", bad}, 2, nil, problems},
		{"run of what is no YAML", []string{"run", "--config", broken}, 2, nil, []string{broken + ":"}},
		{"run without a selection", []string{"run"}, 2, nil, []string{"--port"}},
		{"unknown flag", []string{"run", "--prot", "80"}, 2, nil, []string{"--prot", "did you mean --port?"}},
		{"impossible port", []string{"run", "--port", "70000"}, 2, nil, []string{"70000"}},
		{"unknown backend", []string{"run", "--port", "80", "--backend", "fenty"}, 2, nil, []string{"fentry"}},
		{"unknown command", []string{"trace"}, 2, nil, []string{"trace"}},
		{"why of a traced process", []string{"why", "--port", selector, pid}, 0, []string{"Process " + pid, " is traced"}, nil},
		{"why of another", []string{"why", "--port", "1", pid}, 0, []string{"is not traced", fmt.Sprintf("--port %d", port)}, nil},
		{"why of an excluded one", []string{"why", "--port", selector, "--exclude-exe", "**/webserver", pid}, 0, []string{"is not traced", "exclude[0]"}, nil},
		{"why as JSON", []string{"why", "--port", selector, "--output", "json", pid}, 0, []string{`"traced": true`}, nil},
		{"why of no process", []string{"why", "--port", selector, "4194303"}, 1, nil, []string{"4194303"}},
		{"why of what is no pid", []string{"why", "nginx"}, 2, nil, []string{"nginx"}},
	} {
		t.Run(in.name, func(t *testing.T) { in.check(t, exec.Command(suite.Program("tracer-agent"), in.args...)) })
	}
	t.Run("check without privileges", func(t *testing.T) {
		agent := copyProgram(t, suite.Program("tracer-agent"), suite.WorkDir(t))
		in := invocation{code: 1, stdout: []string{"CAP_BPF"}}
		in.check(t, exec.Command("/usr/bin/setpriv", "--reuid="+selectionUser, "--regid="+selectionUser, "--clear-groups", agent, "check"))
	})
}

// check runs cmd and compares its end and its output.
func (in invocation) check(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Env = suite.AgentEnv()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	hurry := time.AfterFunc(readyLimit, func() { _ = cmd.Process.Kill() })
	defer hurry.Stop()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != in.code {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", got, in.code, suite.Tail(stdout.String(), 2000), suite.Tail(stderr.String(), 2000))
	}
	for out, parts := range map[*bytes.Buffer][]string{&stdout: in.stdout, &stderr: in.stderr} {
		for _, part := range parts {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%q is not in the output\nstdout: %s\nstderr: %s", part, suite.Tail(stdout.String(), 2000), suite.Tail(stderr.String(), 2000))
			}
		}
	}
}

// TestReady: the line that says the agent is ready, the pages that say the same,
// and text on standard output if no collector is named.
func TestReady(t *testing.T) {
	if trafficOnly() {
		t.Skip("TRACER_AGENT=off: there is no agent to be ready")
	}
	block := suite.NewPorts(t)
	s := startGo(t, "go", block.Take(t))
	a := startAgent(t, agentOptions{args: []string{"--port", block.Selector()}, env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT="}})
	line := readyLine.FindString(a.Out.String())
	for _, part := range []string{"backend=" + os.Getenv("TRACER_BACKEND"), " processes=1 ", "exporter=", "metrics=" + a.metrics} {
		if line == "" || !strings.Contains(a.Out.String(), part) {
			t.Errorf("%q does not say %q", a.Out.String(), part)
		}
	}
	base := strings.TrimSuffix(a.metrics, "/metrics")
	for page, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404} {
		if got := status(t, base+page); got != want {
			t.Errorf("%s answers %d, want %d", page, got, want)
		}
	}
	conn, r := s.dial(t, ""), &request{target: "/size/17?printed"}
	conn.write(t, r)
	conn.read(t, r)
	suite.Poll(t, 5*time.Second, "the span is printed", func() bool { return strings.Contains(a.stdout(), "/size/17") })
	a.shutdown(t)
}

func status(t *testing.T, url string) int {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
