// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"bytes"
	"fmt"
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

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// output collects what a process prints. Safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String is all that was printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// running is a process that ends with the test.
type running struct {
	cmd    *exec.Cmd
	out    *output // both streams
	config string  // of an agent: its file
}

func start(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{cmd: cmd, out: &output{}}
	cmd.Stdout, cmd.Stderr = r.out, r.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// stop ends the process with SIGTERM and waits for it.
func (r *running) stop() error {
	if r.cmd.ProcessState != nil {
		return nil
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return r.cmd.Wait()
}

func (r *running) pid() int { return r.cmd.Process.Pid }

// poll waits until done says so.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// startAgent runs the shipped program with a configuration and waits until it
// traces. Spans are printed as JSON.
func startAgent(t *testing.T, binary, config string, env ...string) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, config)
	cmd := exec.Command(binary, "run", "--config", file, "--stdout", "json", "--log-level", "debug")
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	a := start(t, cmd)
	a.config = file
	poll(t, "the agent is ready", func() bool {
		if strings.Contains(a.out.String(), "tracer-agent: ") {
			t.Fatalf("the agent failed:\n%s", a.out)
		}
		return strings.Contains(a.out.String(), "tracer-agent ready:")
	})
	return a
}

// sees waits for a span of a path.
func (r *running) sees(t *testing.T, path string) {
	t.Helper()
	poll(t, "a span of "+path+" in\n"+tail(r.out.String()), func() bool { return strings.Contains(r.out.String(), `"`+path+`"`) })
}

// tail is the end of a long text.
func tail(s string) string { return s[max(0, len(s)-4000):] }

// freeAddr is an address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitListener waits until something listens on addr.
func awaitListener(t *testing.T, addr string) {
	t.Helper()
	poll(t, "something listens on "+addr, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// serve starts the test service as a user.
func serve(t *testing.T, addr string, uid int) *running {
	t.Helper()
	cmd := exec.Command("setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", uid), "--clear-groups", program("web"), "serve", addr)
	r := start(t, cmd)
	awaitListener(t, addr)
	return r
}

func get(t *testing.T, addr, path string) {
	t.Helper()
	if out := command(t, program("web"), "get", "http://"+addr+path); out != path+"\n" {
		t.Fatalf("%s%s answered %q", addr, path, out)
	}
}

// status returns the lines of /proc/PID/status that begin so, of all threads.
func status(t *testing.T, pid int, fields ...string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that ended
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			for _, f := range fields {
				if f == name {
					found[name] = append(found[name], value)
				}
			}
		}
	}
	return found
}
