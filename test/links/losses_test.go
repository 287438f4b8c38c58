// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import "testing"

// TestDroppedRecords throws away one in a hundred records of the kernel, by the
// agent's test hook. Spans go missing for it, and links; none may be wrong.
func TestDroppedRecords(t *testing.T) {
	for _, name := range []string{"go", "python-threads", "node-http", "nginx-proxy"} {
		t.Run(name, func(t *testing.T) {
			r := named(t, name)
			s := newSite(t)
			w := &world{site: s, service: r.start(t, s)}
			w.agent = startAgent(t, newSink(t), agentOptions{block: s.block, env: []string{"TRACER_AGENT_TEST_DROP=0.01"}})
			w.measure(t, Plan("warm", 10, 5, true, r.shape), 1)
			score := w.measure(t, Plan("d", 1500, 10, true, r.shape), 8)
			if score.Missing == 0 {
				t.Error("no span is missing: nothing was dropped")
			}
			checkWrong(t, score)
			if recall := score.Exchanges.Recall(); recall < 0.9 {
				t.Errorf("recall of exchanges is %s, want 90 %%", percent(recall))
			}
			if recall := score.Calls.Recall(); r.kind == exact && recall < 0.9 {
				t.Errorf("recall of calls is %s, want 90 %%", percent(recall))
			}
			dangling := score.Calls.Dangling + score.Exchanges.Dangling
			if claimed := score.Calls.Claimed + score.Exchanges.Claimed; dangling*20 > claimed {
				t.Errorf("%d of %d links lead to spans that were never sent", dangling, claimed)
			}
		})
	}
}

// named returns one of the runtimes.
func named(t *testing.T, name string) *subject {
	t.Helper()
	for _, r := range runtimes() {
		if r.name == name {
			return &r
		}
	}
	t.Fatalf("no runtime %q", name)
	return nil
}
