// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output collects what a process prints. Safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is a program that a test started, in a process group of its own.
type process struct {
	name   string
	cmd    *exec.Cmd
	out    *output       // stderr, and stdout unless redirected
	exited chan struct{} // closed after Wait returned
	err    error         // Wait's result, valid once exited is closed
}

// launch starts cmd and makes sure that its whole group is gone when the test
// ends. A program that dies is reported with its output if the test failed.
func launch(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, out: &output{}, exited: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	cmd.Stderr = p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("output of %s (tail):\n%s", name, tail(p.out.String(), 4000))
		}
	})
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// alive says whether the process has not been waited for yet.
func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop ends the process group: politely, then by force. It may be called again.
func (p *process) stop() {
	if p.alive() {
		_ = syscall.Kill(p.pid(), syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(2 * time.Second):
		}
	}
	p.kill()
}

// kill ends the process group at once. Once the leader was waited for, its
// number may be another's: then only members that carry this suite's
// environment are ended.
func (p *process) kill() {
	if p.alive() {
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
		<-p.exited
	}
	for _, pid := range groupMembers(p.pid()) {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && bytes.Contains(environ, []byte(binDir+"="+os.Getenv(binDir))) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// groupMembers returns the processes of a process group.
func groupMembers(group int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		var pid, parent, pgrp int
		var state string
		_, rest, _ := strings.Cut(string(data), ") ") // no command of ours contains ") "
		if _, err := fmt.Sscan(rest, &state, &parent, &pgrp); err != nil || pgrp != group || state == "Z" {
			continue
		}
		if _, err := fmt.Sscan(string(data), &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// tail returns the end of a log, or of a crash the beginning, in about n bytes.
func tail(s string, n int) string {
	for _, mark := range []string{"\npanic: ", "\nfatal error: ", "\nWARNING: DATA RACE"} {
		if at := strings.Index(s, mark); at >= 0 {
			return s[at:min(len(s), at+n)]
		}
	}
	if len(s) <= n {
		return s
	}
	return "..." + s[len(s)-n:]
}

// poll calls cond until it returns true; it fails the test after limit.
func poll(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("deadline (%s) passed: %s", limit, what)
		}
	}
}

// waitListening blocks until addr accepts connections or p is dead.
func waitListening(t *testing.T, p *process, network, addr string) {
	t.Helper()
	poll(t, 30*time.Second, p.name+" listens on "+addr, func() bool {
		if !p.alive() {
			t.Fatalf("%s ended: %v\n%s", p.name, p.err, tail(p.out.String(), 4000))
		}
		conn, err := net.Dial(network, addr)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// ports hands out listening ports of one block below the ephemeral range, so
// that a test can select the block by "LO-HI" and leave others unselected.
type ports struct {
	mu     sync.Mutex
	lo, hi int
	next   int
}

const portBlock = 50

// newPorts claims a block at random, in which nothing listens now and which no
// other suite on this machine claims before the test has ended: an abstract
// socket is the claim.
func newPorts(t *testing.T) *ports {
	t.Helper()
	for range 100 {
		lo := 10000 + rand.IntN(400)*portBlock
		claim, err := net.Listen("unix", fmt.Sprintf("@tracer-it-ports-%d", lo))
		if err != nil {
			continue
		}
		t.Cleanup(func() { claim.Close() })
		if blockFree(lo) {
			return &ports{lo: lo, hi: lo + portBlock - 1, next: lo}
		}
	}
	t.Fatal("no free block of ports")
	return nil
}

func blockFree(lo int) bool {
	for p := lo; p < lo+portBlock; p++ {
		if !portFree(p) {
			return false
		}
	}
	return true
}

// portFree binds and never listens: a process that listens on a selected port,
// be it for a moment, is selected. A child that is forked meanwhile would keep
// the port bound until it executes its program.
func portFree(p int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return false
	}
	return syscall.Bind(fd, &syscall.SockaddrInet6{Port: p}) == nil
}

// dialFrom returns a dialer that connects from a port of 127.0.0.1. What portFree
// finds free may have connections that linger (TIME_WAIT).
func dialFrom(port int) *net.Dialer {
	return &net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
		Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			if failed := c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			}); failed != nil {
				return failed
			}
			return err
		},
	}
}

// selector returns the block as an argument of --port.
func (p *ports) selector() string { return fmt.Sprintf("%d-%d", p.lo, p.hi) }

// take returns a port of the block that nobody listens on.
func (p *ports) take(t *testing.T) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.next <= p.hi {
		port := p.next
		p.next++
		if portFree(port) {
			return port
		}
	}
	t.Fatal("block of ports is used up")
	return 0
}

// workDir makes a directory that every user can enter; it goes with the test.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(os.Getenv(binDir), "work-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// copyProgram copies an executable to dir, so that --exe can select this copy
// and nothing else on the machine.
func copyProgram(t *testing.T, path, dir string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(target, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return target
}

// errText renders an error for a comparison in a table, nil as "".
func errText(err error) string {
	if err == nil {
		return ""
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Error()
	}
	return strings.TrimSpace(err.Error())
}
