// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestManyInFlight keeps 10,000 requests in flight at once: the leaves answer
// none of them before all have come. Two services share them, as a process may
// open 20,000 descriptors and each request takes two.
func TestManyInFlight(t *testing.T) {
	const each = 5000
	s := newSite(t)
	build := goBuild{cgo: "0"}.build(t, s.dir)
	// A leaf releases its requests when it has all of them, so each service has its own.
	second := &site{block: s.block, dir: s.dir, addr: s.block.Addr(t), leaves: []string{s.block.Addr(t)}}
	s.leaves = s.leaves[:1]
	leaf := suite.Launch(t, "leaf", exec.Command(suite.Program("leaf"), second.leaves...))
	suite.WaitListening(t, leaf, "tcp", second.leaves[0])
	shape := Hold(each)
	var plan []Request
	var parts [2][]Request
	for i, at := range []*site{s, second} {
		at.run(t, "goservice", exec.Command(build, at.args()...))
		parts[i] = Plan(fmt.Sprintf("many%d", i), each, each, true, shape)
		plan = append(plan, parts[i]...)
	}
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block, config: "export: {queue_bytes: 134217728}\n"})}

	var errs [2]error
	var drivers sync.WaitGroup
	for i, at := range []*site{s, second} {
		drivers.Go(func() {
			driver := &Driver{Addr: at.addr, Connections: each}
			_, errs[i] = driver.Send(t.Context(), parts[i])
		})
	}
	drivers.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("the traffic failed: %.2000s", err)
		}
	}
	report(t, &Row{Runtime: "go", Concurrency: 2 * each, Score: *w.judge(plan), Bars: exact.bars(2 * each)})
}
