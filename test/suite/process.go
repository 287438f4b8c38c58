// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a program that a test started, in a process group of its own. Its
// methods may be called from any goroutine, and also after it has ended.
type Process struct {
	Name   string
	Cmd    *exec.Cmd
	Out    *Output       // stdout and stderr, unless redirected
	exited chan struct{} // closed after Wait returned
	err    error         // Wait's result, valid once exited is closed
}

// Launch starts cmd and makes sure that its whole group is gone when the test
// ends. If the test fails, it shows the end of what the program printed.
func Launch(t testing.TB, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Name: name, Cmd: cmd, Out: &Output{}, exited: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.Out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.Out
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("output of %s (tail):\n%s", name, Tail(p.Out.String(), 4000))
		}
	})
	return p
}

// PID is the process id, which is that of the group, too.
func (p *Process) PID() int { return p.Cmd.Process.Pid }

// Exited is closed once the program has ended and its output is complete.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err tells how the program ended: nil for exit code 0. Only after Exited.
func (p *Process) Err() error { return p.err }

// Alive says whether the program has not been waited for yet.
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stopLimit is how long a program may take to end after SIGTERM.
const stopLimit = 3 * time.Second

// Stop ends the process group: politely, then by force. It may be called again.
func (p *Process) Stop() {
	if p.Alive() {
		_ = syscall.Kill(p.PID(), syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(stopLimit):
		}
	}
	p.Kill()
}

// Kill ends the process group at once. Once the leader was waited for, its
// number may be another's: then only members that carry the environment of this
// suite are ended.
func (p *Process) Kill() {
	if p.Alive() {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		<-p.exited
	}
	mark := []byte(Bin + "=" + os.Getenv(Bin) + "\x00")
	for _, pid := range groupMembers(p.PID()) {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && bytes.Contains(environ, mark) {
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
