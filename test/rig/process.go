// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// StopTimeout is how long a process may take to end after SIGTERM.
const StopTimeout = 20 * time.Second

// Process is a started command. It leads a process group of its own, so that
// its children are found, measured and stopped with it. Its methods may be
// called from any goroutine, and also after it has ended.
type Process struct {
	Label string
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs commandLine by the shell. Output is appended to LABEL.log in dir;
// onLine, if not nil, also gets each line, from a goroutine of its own. The
// process is killed if the caller dies.
func Start(dir, label, commandLine string, env []string, onLine func(string)) (*Process, error) {
	log, err := os.OpenFile(filepath.Join(dir, label+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", label, err)
	}
	cmd := exec.Command("/bin/sh", "-c", "exec "+commandLine)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("start %s: %w", label, err)
	}
	p := &Process{Label: label, cmd: cmd, ended: make(chan struct{})}
	var copied sync.WaitGroup
	copied.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(log, lines.Text())
			if onLine != nil {
				onLine(lines.Text())
			}
		}
		_, _ = io.Copy(log, out) // what is no line, such as one too long
	})
	go func() {
		_ = cmd.Wait()
		_ = in.Close()
		copied.Wait()
		_ = log.Close()
		close(p.ended)
	}()
	return p, nil
}

// PID is the process id, which is that of the group, too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed once the process has ended and its output is in the log.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Running says that the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Outcome tells how the process ended: nil for exit code 0. Only after Ended.
func (p *Process) Outcome() error {
	if p.cmd.ProcessState.Success() {
		return nil
	}
	return fmt.Errorf("%s: %s", p.Label, p.cmd.ProcessState)
}

// Signal sends a signal to the process group.
func (p *Process) Signal(s syscall.Signal) {
	if p.Running() { // afterwards the number may be somebody else's
		_ = syscall.Kill(-p.PID(), s)
	}
}

// Stop ends the process group by SIGTERM, or by SIGKILL if that does not help,
// and returns how long that took.
func (p *Process) Stop() time.Duration {
	start := time.Now()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(StopTimeout):
		p.Kill()
	}
	return time.Since(start)
}

// Kill ends the process group at once.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// CPU returns the processor time that the group's processes have had. It reads
// their CPU clocks: the counter of /proc/PID/task/*/schedstat (first field) in
// nanoseconds, with the threads included that have ended.
func (p *Process) CPU() time.Duration {
	var sum time.Duration
	for _, pid := range p.Group() {
		var t unix.Timespec
		// The encoding of clock_getcpuclockid(3): CPUCLOCK_SCHED of a process.
		if unix.ClockGettime(int32(^pid<<3|2), &t) == nil {
			sum += time.Duration(t.Nano())
		}
	}
	return sum
}

// Memory returns resident memory and its peak in bytes, of the group's first
// process; 0 once it has ended.
func (p *Process) Memory() (resident, peak int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			resident = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	return resident, peak
}

// Group returns the processes of the group, by id.
func (p *Process) Group() []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // ended since
		}
		// The command's name is in parentheses and may hold any character.
		after := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if fields := strings.Fields(after); len(fields) > 2 && fields[2] == strconv.Itoa(p.PID()) {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}
