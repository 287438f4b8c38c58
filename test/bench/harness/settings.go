// SPDX-License-Identifier: Apache-2.0

// Package harness measures what an agent costs the servers that it traces, and
// itself. It starts a server, a span sink and the agent, sends load with the
// agent off and on in turn, and reports medians. It knows nothing of the agent
// but its command line and that it exports OTLP/HTTP, so any agent can be
// measured. Run it alone on a machine, or in a virtual machine whose clock
// counts instructions (test/bench/vm).
package harness

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// None as an agent's command: "on" is measured like "off". The difference that
// is then reported is the harness's own error.
const None = "none"

// Settings is how to measure.
type Settings struct {
	// Agent is the agent's command line, run by the shell. In it {agent} stands
	// for its binary, {port} for the port to trace, {metrics} for a free port for
	// the agent's own metrics, {backend} for Backend, and {more} for what selects
	// the further processes of a case. The environment has the
	// OTEL_EXPORTER_OTLP_* variables.
	Agent string
	// Backend is what {backend} stands for; empty if the agent has no choice.
	Backend string
	// Vs is the command line of another agent, which gets the same load in turn;
	// empty: none. VsFile is its binary.
	Vs, VsFile string
	// AgentFile is the agent's binary, for its size; may be empty.
	AgentFile string
	// Ready starts the line that the agent prints when it is ready; may be empty.
	Ready string
	// Spans tells that the agent is to send one SERVER span per request.
	Spans bool
	// Drops is a regular expression: the names of the agent's counters (in the
	// Prometheus format at {metrics}) that count spans it lost.
	Drops string

	Dir       string // logs and configuration files
	GoServer  string // path of test/bench/goserver's binary
	NginxPath string
	NginxBody int // bytes nginx answers with
	ServerCPU int // processor for servers; negative: any

	Pairs       int           // runs with the agent off and on, each
	Requests    int           // per run
	Warm        int           // requests before each run
	Connections int           // of the load
	Quiet       time.Duration // spans that come later than this after the last one are lost
}

// Flags declares the settings as flags of set and returns where they go.
func Flags(set *flag.FlagSet) *Settings {
	s := &Settings{}
	set.StringVar(&s.Agent, "agent-cmd", DefaultCommand, "the agent's command line; {agent}, {port}, {metrics}, {backend} and {more} are filled in; none: no agent")
	set.StringVar(&s.Vs, "vs-cmd", DefaultCommand, "command line of the other agent that -vs names")
	set.StringVar(&s.VsFile, "vs", "", "binary of another agent, which gets the same load in turn")
	set.StringVar(&s.AgentFile, "agent", "", "the agent's binary")
	set.StringVar(&s.Ready, "ready", "tracer-agent ready:", "start of the line that tells that the agent is ready")
	set.BoolVar(&s.Spans, "spans", true, "the agent sends a SERVER span per request")
	set.StringVar(&s.Drops, "drops", "(requests|spans)_dropped_total", "names of the agent's counters of lost spans (regular expression)")
	set.StringVar(&s.Dir, "dir", "", "folder for logs (default: a temporary one)")
	set.StringVar(&s.GoServer, "goserver", "goserver", "the Go server's binary")
	set.StringVar(&s.NginxPath, "nginx", "nginx", "nginx's binary")
	set.IntVar(&s.NginxBody, "nginx-body", 2, "bytes nginx answers with")
	set.IntVar(&s.ServerCPU, "server-cpu", -1, "processor for the servers; -1: any")
	set.IntVar(&s.Pairs, "pairs", 12, "runs with the agent off and on, each")
	set.IntVar(&s.Requests, "requests", 20000, "requests per run")
	set.IntVar(&s.Warm, "warm", 2000, "requests before each run")
	set.IntVar(&s.Connections, "connections", 8, "connections of the load")
	set.DurationVar(&s.Quiet, "quiet", 5*time.Second, "spans that come later than this after the last one are lost")
	return s
}

// Check completes the settings and reports what is wrong with them.
func (s *Settings) Check() error {
	if s.Agent == "" || s.Agent != None && s.AgentFile == "" && strings.Contains(s.Agent, "{agent}") {
		return errors.New("no agent given")
	}
	if s.VsFile == "" {
		s.Vs = ""
	}
	if s.Pairs < 1 || s.Requests < 1 || s.Connections < 1 {
		return errors.New("pairs, requests and connections must be positive")
	}
	if s.Agent == None {
		s.Spans = false
	}
	if s.Dir == "" {
		dir, err := os.MkdirTemp("", "bench.")
		if err != nil {
			return fmt.Errorf("make a folder for logs: %w", err)
		}
		s.Dir = dir
	}
	dir, err := filepath.Abs(s.Dir) // nginx does not take another
	if err != nil {
		return fmt.Errorf("folder for logs: %w", err)
	}
	s.Dir = dir
	return os.MkdirAll(s.Dir, 0o755)
}

// DefaultCommand is tracer-agent's command line.
const DefaultCommand = "{agent} run --port {port} --backend {backend} --metrics-listen 127.0.0.1:{metrics} {more}"

// agentCommand fills the template in.
func (s Settings) agentCommand(port, metrics int, more string) string {
	backend := s.Backend
	if backend == "" {
		backend = "auto"
	}
	return strings.NewReplacer("{agent}", s.AgentFile, "{port}", fmt.Sprint(port), "{metrics}", fmt.Sprint(metrics),
		"{backend}", backend, "{more}", more).Replace(s.Agent)
}

// sides are the agents to measure: the agent, and the other one if there is one.
// Of another agent nothing is known but its command line.
func (s Settings) sides() []Settings {
	if s.Vs == "" {
		return []Settings{s}
	}
	other := s
	other.Agent, other.AgentFile = s.Vs, s.VsFile
	if s.Vs != DefaultCommand {
		other.Ready = ""
	}
	return []Settings{s, other}
}
