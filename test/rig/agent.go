// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// readyPrefix begins the line that the agent prints when it captures.
const readyPrefix = "tracer-agent ready:"

// Agent is a started tracer-agent.
type Agent struct {
	*Process
	port  int // of its metrics
	ready chan struct{}
}

// StartAgent runs "BINARY run ARGS" with a port for its metrics; wrap, if not
// empty, is a format whose %s is the command line ("nice %s"). The agent's log
// goes to LABEL.log in dir. It is not ready yet.
func StartAgent(dir, label, binary, args, wrap string, env []string) (*Agent, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	a := &Agent{port: port, ready: make(chan struct{})}
	var once sync.Once
	line := fmt.Sprintf("%s run --metrics-listen 127.0.0.1:%d %s", binary, port, args)
	if wrap != "" {
		line = fmt.Sprintf(wrap, line)
	}
	a.Process, err = Start(dir, label, line, env, func(line string) {
		if strings.HasPrefix(line, readyPrefix) {
			once.Do(func() { close(a.ready) })
		}
	})
	return a, err
}

// AwaitReady returns once the agent captures.
func (a *Agent) AwaitReady(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-a.ready:
		return nil
	case <-a.Ended():
		return fmt.Errorf("%s ended before it was ready: %w", a.Label, a.Outcome())
	case <-timer.C:
		return fmt.Errorf("%s is not ready after %s", a.Label, limit)
	}
}

// Metrics reads the agent's own metrics.
func (a *Agent) Metrics() (Metrics, error) { return Scrape(a.port) }

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Backend is one of the agent's backends on this kernel.
type Backend struct {
	Name   string
	Works  bool
	Reason string // how or why not
}

// Backends asks the agent ("BINARY check") which backends this kernel allows.
func Backends(binary string) ([]Backend, error) {
	out, err := exec.Command(binary, "check", "--output", "json").Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // it exits with 1 where nothing works, and still tells
		return nil, fmt.Errorf("ask the agent for its backends: %w", err)
	}
	var report struct {
		Features []struct{ Name, State, Detail string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("decode the agent's report: %w", err)
	}
	var list []Backend
	for _, f := range report.Features {
		if name, ok := strings.CutPrefix(f.Name, "backend "); ok {
			list = append(list, Backend{Name: name, Works: f.State == "yes", Reason: f.Detail})
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the agent's report names no backend")
	}
	return list, nil
}
