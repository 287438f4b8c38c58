// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestIdleUnixConnection: nothing tells of a unix socket's end, so that the agent
// forgets a connection that is idle for long. It is traced again when it is used again.
func TestIdleUnixConnection(t *testing.T) {
	dir := suite.WorkDir(t)
	web, path := copyProgram(t, suite.Program("webserver"), dir), filepath.Join(dir, "web.sock")
	th := newTheme(t, agentOptions{config: `
instrument: [{exe: ["` + dir + `/*"]}]
limits: {idle_unix_connection: 1s}
`})
	var p *suite.Process
	th.agent.selecting(t, 1, func() { p = suite.Launch(t, "go", exec.Command(web, "unix:"+path)) })
	suite.WaitListening(t, p, "unix", path)
	s := &server{Process: p, name: "go", unix: path}
	conn := s.dial(t, "")
	for i, target := range []string{"/ok?first", "/ok?again", "/ok?once-more"} {
		th.send(t, target, func(c *tcase) { c.exchange(conn, &request{target: target}) })
		if trafficOnly() {
			continue
		}
		suite.Poll(t, 20*time.Second, "the span is made, and the connection forgotten", func() bool {
			now := th.agent.scrape(t)
			if n := now["tracer_agent_slices_unknown_total"]; n != 0 {
				t.Fatalf("%v slices of an unknown connection", n)
			}
			return now["tracer_agent_spans_offered_total"] == float64(i+1) && now["tracer_agent_connections"] == 0
		})
	}
	th.finish(t)
}
