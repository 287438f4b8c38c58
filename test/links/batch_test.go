// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// TestBatch makes one call for all requests that wait. Such a call may have the
// request as parent if there is only one; of several none is its parent, but
// all of them may be linked.
func TestBatch(t *testing.T) {
	s, _ := goWorld(t, nil)
	batches(t, s, false)
}

// TestBatchAnswered: the same where who makes the call is known to answer the
// requests, so that it must be linked to all of them.
func TestBatchAnswered(t *testing.T) {
	s := newSite(t)
	python("loop.py")(t, s)
	batches(t, s, true)
}

// batches drives a service that makes calls for several requests. If complete,
// all that a call served must be known.
func batches(t *testing.T, s *site, complete bool) {
	t.Helper()
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block})}
	plan := Plan("b", 1000, 10, false, func(*rand.Rand, int) Request { return Request{Target: "/do/batch/1/0/0"} })
	driver := &Driver{Addr: w.addr, Connections: 16}
	sent, err := driver.Send(t.Context(), plan)
	if err != nil {
		t.Fatalf("the traffic failed: %.2000s", err)
	}
	served := map[string][]string{} // requests by the call that served them
	for i := range sent {
		served[sent[i].Body] = append(served[sent[i].Body], plan[i].ID)
	}
	if len(served) < 20 || len(served) > len(plan)/2 {
		t.Fatalf("%d calls for %d requests: these are no batches", len(served), len(plan))
	}
	spans := await(w.agent.sink, plan)
	bySpan := map[string]string{} // truth id of SERVER spans
	for i := range spans {
		if spans[i].Kind == otlptest.Server {
			bySpan[spans[i].SpanID] = TruthID(&spans[i])
		}
	}
	calls, claimed, linked := 0, 0, 0
	for i := range spans {
		requests, ok := served[TruthID(&spans[i])]
		if !ok || spans[i].Kind != otlptest.Client {
			continue
		}
		calls++
		if spans[i].Parent != "" {
			claimed++
			if len(requests) != 1 || bySpan[spans[i].Parent] != requests[0] {
				t.Errorf("a call for %d requests has a parent: %s", len(requests), &spans[i])
			}
		}
		if complete && (len(requests) == 1) != (spans[i].Parent != "") || complete && len(requests) > 1 && len(spans[i].Links) != len(requests) {
			t.Errorf("a call for %d requests has %d links: %s", len(requests), len(spans[i].Links), &spans[i])
		}
		for _, l := range spans[i].Links {
			linked++
			if !slices.Contains(requests, bySpan[l.SpanID]) {
				t.Errorf("a call is linked to a request that it did not serve: %s", &spans[i])
			}
		}
	}
	if calls != len(served) {
		t.Errorf("%d of %d calls were seen", calls, len(served))
	}
	t.Logf("%d calls for %d requests: %d with a parent, %d span links", calls, len(plan), claimed, linked)
}
