// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output collects what a program prints. Safe for concurrent use.
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

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// program is a running child of the test.
type program struct {
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has ended
	err  error         // how, once done is closed
}

// start runs cmd until the test ends. What it printed is shown if the test fails.
func start(t *testing.T, name string, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{cmd: cmd, out: &output{}, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.out
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() { p.err = cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of %s (its end):\n%s", name, tail(p.out.String(), 1500))
		}
	})
	return p
}

func (p *program) pid() int { return p.cmd.Process.Pid }

func (p *program) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *program) kill() {
	p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// eventually polls until ok, at most for limit.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// serve is the server in a container: it answers on the address of its argument,
// prints where, and ends with its standard input.
func serve() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello "+r.URL.Query().Get("echo"))
	})
	go http.Serve(l, nil)
	io.Copy(io.Discard, os.Stdin)
}

// ask is the client in a container: it gets each URL of its standard input and
// prints the status.
func ask() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		resp, err := http.Get(lines.Text())
		if err != nil {
			fmt.Println(err)
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}
}

// get asks a server in a container, from the test, which is in none.
func get(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(body), "hello") {
		t.Fatalf("%s answered %q, %v", url, body, err)
	}
}
