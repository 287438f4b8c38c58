// SPDX-License-Identifier: Apache-2.0

//go:build links || integration

package links

import (
	"bytes"
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

// tail returns the last n bytes.
func (o *output) tail(n int) string {
	s := o.String()
	return s[max(0, len(s)-n):]
}

// process is a program that a test started, in a process group of its own.
type process struct {
	name   string
	cmd    *exec.Cmd
	out    *output
	exited chan struct{} // closed after Wait returned
	err    error         // Wait's result, valid once exited is closed
}

// launch starts cmd; its group is gone when the test ends.
func launch(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, out: &output{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
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
			t.Logf("output of %s (tail):\n%s", name, p.out.tail(2000))
		}
	})
	return p
}

// alive says whether the process has not been waited for yet.
func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop ends the process politely, then its whole group by force. The group's
// number stays taken for as long as a member lives; without members the signal
// reaches nobody.
func (p *process) stop() {
	if !p.alive() {
		return
	}
	group := p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(3 * time.Second):
		_ = syscall.Kill(-group, syscall.SIGKILL)
		<-p.exited
	}
	p.endOrphans(group)
}

// endOrphans ends what a leader left behind, if it carries this suite's environment.
func (p *process) endOrphans(group int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		var pid, parent, pgrp int
		var state string
		_, rest, _ := strings.Cut(string(data), ") ")
		if _, err := fmt.Sscan(rest, &state, &parent, &pgrp); err != nil || pgrp != group {
			continue
		}
		environ, err := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		if err != nil || !bytes.Contains(environ, []byte(binDir+"="+os.Getenv(binDir))) {
			continue
		}
		if _, err := fmt.Sscan(string(data), &pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
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
func waitListening(t *testing.T, p *process, addr string) {
	t.Helper()
	poll(t, 60*time.Second, p.name+" listens on "+addr, func() bool {
		if !p.alive() {
			t.Fatalf("%s ended: %v\n%s", p.name, p.err, p.out.tail(4000))
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// ports is a block of ports below the ephemeral range, so that a test can
// select the block.
type ports struct{ lo, next int }

const portBlock = 25

// newPorts claims a block at random in which nothing listens now. An abstract
// socket is the claim; the integration suite uses the same.
func newPorts(t *testing.T) *ports {
	t.Helper()
	for range 100 {
		lo := 10000 + rand.IntN(400)*50
		claim, err := net.Listen("unix", fmt.Sprintf("@tracer-it-ports-%d", lo))
		if err != nil {
			continue
		}
		t.Cleanup(func() { claim.Close() })
		if blockFree(lo) {
			return &ports{lo: lo, next: lo}
		}
	}
	t.Fatal("no free block of ports")
	return nil
}

// blockFree binds and never listens: a process that listens on a selected
// port, be it for a moment, is selected.
func blockFree(lo int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for p := lo; p < lo+portBlock; p++ {
		fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return false
		}
		err = syscall.Bind(fd, &syscall.SockaddrInet6{Port: p})
		syscall.Close(fd)
		if err != nil {
			return false
		}
	}
	return true
}

// selector returns the block as an argument of --port.
func (p *ports) selector() string { return fmt.Sprintf("%d-%d", p.lo, p.lo+portBlock-1) }

// take returns the next address of the block.
func (p *ports) take(t *testing.T) string {
	t.Helper()
	if p.next == p.lo+portBlock {
		t.Fatal("block of ports is used up")
	}
	p.next++
	return fmt.Sprintf("127.0.0.1:%d", p.next-1)
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
