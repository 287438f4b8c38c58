// SPDX-License-Identifier: Apache-2.0

// Command traffic makes a recording: it is a server and its clients, has an
// agent record it, and sends the requests that the golden spans beside the
// recordings are of.
//
//	traffic AGENT BACKEND FILE
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	patience = 10 * time.Minute // an emulated machine is slow
	spans    = 30               // that the script makes, both ends counted
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: traffic AGENT BACKEND FILE")
		os.Exit(2)
	}
	if err := record(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintf(os.Stderr, "traffic: %v\n", err)
		os.Exit(1)
	}
}

func record(agent, backend, file string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	unix, err := net.Listen("unix", file+".sock")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer tcp.Close()
	defer unix.Close()
	go serve(tcp)
	go serve(unix)
	_, port, err := net.SplitHostPort(tcp.Addr().String())
	if err != nil {
		return fmt.Errorf("find the port: %w", err)
	}
	a, err := startAgent(ctx, agent, "run", "--port", port, "--backend", backend, "--stdout", "json", "--record", file)
	if err != nil {
		return err
	}
	if err := play(tcp.Addr().String(), unix.Addr().String()); err != nil {
		return err
	}
	return a.stop()
}

// agent is a running agent.
type agent struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

// startAgent returns when the agent is ready.
func startAgent(ctx context.Context, path string, args ...string) (*agent, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		fmt.Fprintln(os.Stderr, lines.Text())
		if strings.HasPrefix(lines.Text(), "tracer-agent ready") {
			go io.Copy(os.Stderr, log)
			return &agent{cmd, bufio.NewScanner(out)}, nil
		}
	}
	return nil, fmt.Errorf("the agent did not become ready: %w", cmd.Wait())
}

// stop waits for the spans, and ends the agent.
func (a *agent) stop() error {
	a.out.Buffer(nil, 1<<20)
	n := 0
	for n < spans && a.out.Scan() {
		n++
	}
	if n < spans {
		return fmt.Errorf("%d spans, want %d", n, spans)
	}
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the agent: %w", err)
	}
	for a.out.Scan() {
		n++
	}
	if err := a.cmd.Wait(); err != nil {
		return fmt.Errorf("the agent: %w", err)
	}
	if n != spans {
		return fmt.Errorf("%d spans, want %d", n, spans)
	}
	return nil
}
