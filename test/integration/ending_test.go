// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestEndingProcess handles what a process said while it ends, which takes as long as
// as long as closing its sockets does: it still has an entry in /proc, with less and
// is not to be judged by that, nor to stay selected.
func TestEndingProcess(t *testing.T) {
	block := suite.NewPorts(t)
	th := newTheme(t, agentOptions{args: []string{"--port", block.Selector()}})
	for i := range 2 {
		th.send(t, fmt.Sprint("end ", i), func(c *tcase) {
			port := block.Take(t)
			var s *server
			th.agent.selecting(c.T, 1, func() {
				s = run(c.T, "oneanswer", port, exec.Command("/usr/bin/python3", "-B", appFile(c.T, "oneanswer.py"), fmt.Sprint(port), "300")).single()
			})
			c.exchange(s.dial(c, ""), &request{target: fmt.Sprintf("/last?i=%d", i)})
			<-s.Exited()
			if !trafficOnly() {
				th.await(c.T) // what it said is handled
				suite.Poll(c, 5*time.Second, "no process is selected", func() bool { return th.agent.scrape(t)[selectedProcesses] == 0 })
			}
		})
	}
	th.finish(t)
	for _, s := range th.agent.sink.Spans() {
		if name := s.Resource["service.name"]; name != "oneanswer" {
			t.Errorf("span of service %v, want oneanswer", name)
		}
	}
}
