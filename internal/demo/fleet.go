// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// startLimit is how long a service may take until it listens.
const startLimit = 10 * time.Second

// Service is a running process of the fleet.
type Service struct {
	Name    string
	PID     int
	Address string // network and address: "tcp 127.0.0.1:40123", "unix /tmp/x/prices"

	cmd   *exec.Cmd
	stdin io.Closer
}

// Fleet is the services, each a child of this process.
type Fleet struct {
	Services []*Service
	exe, dir string
}

// StartFleet runs the services from the program exe, which must call [Main]
// when its first argument is [Argument]. It returns when all of them listen.
// The caller must call Close.
func StartFleet(ctx context.Context, exe string) (*Fleet, error) {
	dir, err := os.MkdirTemp("", "tracer-agent-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo's socket: %w", err)
	}
	f := &Fleet{exe: exe, dir: dir}
	if err := f.startAll(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fleet) startAll(ctx context.Context) error {
	prices, err := f.start(ctx, Prices, "unix "+filepath.Join(f.dir, "prices"))
	if err != nil {
		return err
	}
	stock, err := f.start(ctx, Stock, "tcp 127.0.0.1:0")
	if err != nil {
		return err
	}
	cart, err := f.start(ctx, Cart, "tcp [::1]:0", stock.Address)
	if err != nil && ctx.Err() == nil { // a machine without IPv6
		cart, err = f.start(ctx, Cart, "tcp 127.0.0.1:0", stock.Address)
	}
	if err != nil {
		return err
	}
	_, err = f.start(ctx, Storefront, "tcp 127.0.0.1:0", cart.Address, prices.Address)
	return err
}

// start runs one service and waits until it says where it listens.
func (f *Fleet) start(ctx context.Context, args ...string) (*Service, error) {
	cmd := exec.Command(f.exe, append([]string{Argument}, args...)...)
	cmd.Env = []string{} // what configures the agent or a Go program is none of theirs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	s := &Service{Name: args[0], PID: cmd.Process.Pid, cmd: cmd, stdin: stdin}
	if s.Address, err = firstLine(ctx, stdout); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w %s", s.Name, err, strings.TrimSpace(complaint.String()))
	}
	f.Services = append(f.Services, s)
	return s, nil
}

// firstLine reads a line of r, which the end of the process or its being
// killed ends.
func firstLine(ctx context.Context, r io.ReadCloser) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err == nil {
		return strings.TrimSpace(line), nil
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return "", fmt.Errorf("it ended before it listened: %w", err)
}

// stop ends the process and waits for it.
func (s *Service) stop() {
	s.stdin.Close()
	// It may have ended by itself; how it ends does not matter.
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// Find returns the service called name, nil if there is none.
func (f *Fleet) Find(name string) *Service {
	for _, s := range f.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Close ends all services, waits for them and removes what they made. A second
// call does nothing.
func (f *Fleet) Close() error {
	for _, s := range f.Services {
		s.stop()
	}
	f.Services = nil
	if err := os.RemoveAll(f.dir); err != nil {
		return fmt.Errorf("remove the demo's folder: %w", err)
	}
	return nil
}
