// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// share is how much of some traffic is told.
type share uint8

const (
	none share = iota
	half       // of the trace ids, by their value
	all
)

// samplingRounds is how many requests of each sort are made.
const samplingRounds = 200

// TestSampling: of requests with a sampled parent, with one that is not
// sampled, and without any, every sampler keeps its share; two services keep
// the same traces; what is not kept is counted.
func TestSampling(t *testing.T) {
	cases := []struct {
		sampler                  string
		sampled, ignored, rooted share
	}{
		{"always_on", all, all, all},
		{"always_off", none, none, none},
		{"traceidratio", half, half, half},
		{"parentbased_always_on", all, none, all},
		{"parentbased_always_off", all, none, none},
		{"parentbased_traceidratio", all, none, half},
	}
	block := suite.NewPorts(t)
	servers := []*server{startGo(t, "front", block.Take(t)), startNginx(t, "back", block.Take(t))}
	for i, tc := range cases {
		t.Run(tc.sampler, func(t *testing.T) {
			o := agentOptions{args: []string{"--port", block.Selector()}}
			if i%2 == 0 {
				o.env = []string{"OTEL_TRACES_SAMPLER=" + tc.sampler, "OTEL_TRACES_SAMPLER_ARG=0.5"}
			} else {
				o.config = "sampling: {sampler: " + tc.sampler + ", ratio: 0.5}\n"
			}
			a := startAgent(t, o)
			traces := sampled(t, servers)
			if trafficOnly() {
				t.Skip("TRACER_AGENT=off: the traffic ran, no agent was tested")
			}
			books := a.settled(t)
			books.check(t)
			a.shutdown(t)
			if got := len(a.sink.Spans()) + int(books.dropped); got != 3*samplingRounds*len(servers) {
				t.Errorf("%d spans and %v drops, want %d in all", len(a.sink.Spans()), books.dropped, 3*samplingRounds*len(servers))
			}
			kept := keptTraces(t, a.sink.Spans(), len(servers))
			tc.sampled.check(t, "sampled parents", traces["sampled"], kept)
			tc.ignored.check(t, "ignored parents", traces["ignored"], kept)
			tc.rooted.checkRoots(t, a.sink.Spans(), len(servers))
		})
	}
}

// sampled makes the requests, of each sort the same traces to every server, and
// returns the trace ids by sort.
func sampled(t *testing.T, servers []*server) map[string][]string {
	t.Helper()
	traces := map[string][]string{}
	for range samplingRounds {
		for _, sort := range []string{"sampled", "ignored"} {
			traces[sort] = append(traces[sort], newID(16))
		}
	}
	for _, s := range servers {
		conn := s.dial(t, "")
		for i := range samplingRounds {
			for _, r := range []*request{
				{target: "/ok", trace: traces["sampled"][i]},
				{target: "/ok", trace: traces["ignored"][i], ignore: true},
				{target: "/ok?root", root: true},
			} {
				conn.write(t, r)
				conn.read(t, r)
			}
		}
		conn.Close()
	}
	return traces
}

// keptTraces returns the traces that have a span with a parent: either all
// services told theirs or none did.
func keptTraces(t *testing.T, spans []otlptest.Span, services int) map[string]bool {
	t.Helper()
	count := map[string]int{}
	for i := range spans {
		if spans[i].Parent != "" {
			count[spans[i].TraceID]++
		}
		if spans[i].Flags&1 == 0 {
			t.Errorf("exported, but not flagged as sampled: %s", &spans[i])
		}
	}
	kept := map[string]bool{}
	for trace, n := range count {
		kept[trace] = true
		if n != services {
			t.Errorf("trace %s: %d services of %d kept it", trace, n, services)
		}
	}
	return kept
}

func (want share) check(t *testing.T, what string, traces []string, kept map[string]bool) {
	t.Helper()
	n := 0
	for _, trace := range traces {
		if kept[trace] {
			n++
		}
	}
	want.count(t, what, n, len(traces))
}

func (want share) checkRoots(t *testing.T, spans []otlptest.Span, services int) {
	t.Helper()
	n := 0
	for i := range spans {
		if spans[i].Parent == "" {
			n++
		}
	}
	want.count(t, "roots", n, samplingRounds*services)
}

// count accepts a half within six standard deviations.
func (want share) count(t *testing.T, what string, n, of int) {
	t.Helper()
	low, high := 0, 0
	switch want {
	case half:
		low, high = of*28/100, of*72/100
	case all:
		low, high = of, of
	}
	if n < low || n > high {
		t.Errorf("%s: %d of %d were kept, want %d to %d", what, n, of, low, high)
	}
}
