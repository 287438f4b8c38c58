// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// running is a process that ends with the test.
type running struct {
	*suite.Process
	config string // of an agent: its file
}

func start(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{Process: suite.Launch(t, filepath.Base(cmd.Path), cmd)}
	t.Cleanup(func() { r.end() }) // for as long as it takes: a container would stay
	return r
}

// end ends the process with SIGTERM and returns how it ended.
func (r *running) end() error {
	_ = r.Cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-r.Exited()
	return r.Err()
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
	suite.Poll(t, patience, "the agent is ready", func() bool {
		if strings.Contains(a.Out.String(), "tracer-agent: ") {
			t.Fatalf("the agent failed:\n%s", a.Out)
		}
		return strings.Contains(a.Out.String(), "tracer-agent ready:")
	})
	return a
}

// sees waits for a span of a path.
func (r *running) sees(t *testing.T, path string) {
	t.Helper()
	suite.Poll(t, patience, "a span of "+path+" in\n"+suite.Tail(r.Out.String(), 4000), func() bool { return strings.Contains(r.Out.String(), `"`+path+`"`) })
}

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
	suite.Poll(t, patience, "something listens on "+addr, func() bool {
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
	cmd := exec.Command("setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", uid), "--clear-groups", suite.Program("web"), "serve", addr)
	r := start(t, cmd)
	awaitListener(t, addr)
	return r
}

func get(t *testing.T, addr, path string) {
	t.Helper()
	if out := command(t, suite.Program("web"), "get", "http://"+addr+path); out != path+"\n" {
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
