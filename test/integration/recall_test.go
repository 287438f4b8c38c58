// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// coldClients runs n clients one after the other while the agent stands still,
// so that only the kernel can select them.
func coldClients(t *testing.T, a *agent, n int, run func(i int)) {
	t.Helper()
	if !trafficOnly() {
		if err := syscall.Kill(a.PID(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		defer syscall.Kill(a.PID(), syscall.SIGCONT)
	}
	for i := range n {
		run(i)
	}
}

// TestKnownPrograms executes a program that was judged before while the agent
// cannot judge: all that it does is seen. What has another path is not, be it the
// same file.
func TestKnownPrograms(t *testing.T) {
	dir := suite.WorkDir(t)
	curl := copyProgram(t, "/usr/bin/curl", dir)
	th := newTheme(t, agentOptions{args: []string{"--exe", curl}})
	web := startGo(t, "go", suite.NewPorts(t).Take(t))
	get := func(program, url string) {
		if out, err := exec.Command(program, "-s", "-o", "/dev/null", url).CombinedOutput(); err != nil {
			t.Errorf("%s %s: %v: %s", program, url, err, out)
		}
	}
	th.agent.acquaint(t, curl, "-K", "-")
	other := filepath.Join(dir, "other")
	th.send(t, "known", func(c *tcase) {
		coldClients(t, th.agent, 20, func(i int) {
			target := fmt.Sprintf("/known/%d", i)
			get(curl, fmt.Sprintf("http://127.0.0.1:%d%s", web.port, target))
			c.expect(&expect{kind: otlptest.Client, method: "GET", path: target, status: 404, version: "1.1", reqBody: noBody(), serverPort: web.port})
		})
	})
	th.await(t)
	th.send(t, "renamed", func(*tcase) {
		if err := os.Rename(curl, other); err != nil {
			t.Fatal(err)
		}
		coldClients(t, th.agent, 20, func(int) { get(other, fmt.Sprintf("http://127.0.0.1:%d/renamed", web.port)) })
	})
	th.finish(t)
	for _, s := range th.agent.sink.Spans() {
		if name := s.Resource["service.name"]; name != "curl" {
			t.Errorf("span of service %v, want curl", name)
		}
	}
}
