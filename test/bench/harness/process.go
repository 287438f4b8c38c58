// SPDX-License-Identifier: Apache-2.0

package harness

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

// stopTimeout is how long a process may take to end after SIGTERM.
const stopTimeout = 20 * time.Second

// process is a started command. It leads a process group of its own, so that
// its children are found, measured and stopped with it.
type process struct {
	cmd   *exec.Cmd
	label string
	ended chan struct{}
}

// startProcess runs commandLine by the shell. Output goes to LABEL.log in dir;
// onLine, if not nil, also gets each line, from a goroutine of its own.
func startProcess(dir, label, commandLine string, env []string, onLine func(string)) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, label+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", label, err)
	}
	cmd := exec.Command("/bin/sh", "-c", "exec "+commandLine)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("start %s: %w", label, err)
	}
	p := &process{cmd: cmd, label: label, ended: make(chan struct{})}
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

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// stop ends the process group and returns how long that took.
func (p *process) stop() time.Duration {
	start := time.Now()
	_ = syscall.Kill(-p.pid(), syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
		<-p.ended
	}
	return time.Since(start)
}

// cpu returns the processor time that the group's processes have had. It reads
// their CPU clocks: the counter of /proc/PID/task/*/schedstat (first field) in
// nanoseconds, with the threads included that have ended.
func (p *process) cpu() time.Duration {
	var sum time.Duration
	for _, pid := range group(p.pid()) {
		var t unix.Timespec
		// The encoding of clock_getcpuclockid(3): CPUCLOCK_SCHED of a process.
		if unix.ClockGettime(int32(^pid<<3|2), &t) == nil {
			sum += time.Duration(t.Nano())
		}
	}
	return sum
}

// memory returns resident memory and its peak in bytes, of the group's first process.
func (p *process) memory() (resident, peak int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
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

// group returns the processes of a process group.
func group(pgid int) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // ended since
		}
		// The command's name is in parentheses and may hold any character.
		after := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if fields := strings.Fields(after); len(fields) > 2 && fields[2] == strconv.Itoa(pgid) {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// held returns the ids of the BPF programs that processes have open, themselves
// or through links. The kernel tells them in /proc/PID/fdinfo.
func held(pids []int) map[int]bool {
	ids := map[int]bool{}
	for _, pid := range pids {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		for _, file := range files {
			text, _ := os.ReadFile(file) // closed since: holds nothing
			for line := range strings.Lines(string(text)) {
				if value, ok := strings.CutPrefix(line, "prog_id:"); ok {
					id, _ := strconv.Atoi(strings.TrimSpace(value))
					ids[id] = true
				}
			}
		}
	}
	return ids
}
