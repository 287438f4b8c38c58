// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestSyscalls runs the same exchanges through every system call that moves
// bytes over a socket: whole, scattered, looked at before being read, in tiny
// pieces, out of files and pipes.
func TestSyscalls(t *testing.T) {
	block := suite.NewPorts(t)
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}})
	script := appFile(t, "syscalls.py")
	names, err := exec.Command("/usr/bin/python3", "-B", script, "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	port := block.Take(t)
	s := run(t, "syscalls", port, exec.Command("/usr/bin/python3", "-B", script, fmt.Sprint(port))).single()
	for _, style := range strings.Fields(string(names)) {
		th.send(t, style, func(c *tcase) { throughStyle(c, s, style) })
	}
	if !trafficOnly() && value(t, th.agent.scrape(t), buffersCut) == 0 {
		t.Error("calls with too many buffers were not counted")
	}
	th.finish(t)
}

// throughStyle makes requests of several shapes on one connection, which the
// server serves by the system calls of style.
func throughStyle(c *tcase, s *server, style string) {
	conn := s.dial(c, "")
	defer conn.Close()
	for i, r := range []*request{
		{}, {pieces: 50}, {fields: []string{"X-Long: " + strings.Repeat("l", 3000)}, last: true}, {root: true}, {},
	} {
		if style == "many+send" {
			// Bytes behind the bound are not seen: of the long head a part is
			// told, and the span says so. The short ones fit without a context.
			r.root = true
			if i == 2 {
				r.adjust = func(e *expect) { e.truncated = true }
			}
			if i == 1 {
				continue
			}
		}
		r.target = fmt.Sprintf("/s?i=%d&style=%s", i, strings.ReplaceAll(style, "+", "-"))
		rep := c.exchange(conn, r)
		if rep.size != 600 || !strings.HasPrefix(rep.body, style+".") {
			c.Fatalf("answer of %d bytes %.30q, want 600 that begin with %q", rep.size, rep.body, style)
		}
	}
}
