// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Families of the agent's own metrics: what was lost for lack of room or time,
// and what was not understood. New members of a family are found by their names.
var (
	lossSeries    = regexp.MustCompile(`^tracer_agent_[a-z0-9_]*(dropped|lost|missed|map_full|table_full)[a-z0-9_]*(\{|$)`)
	skippedSeries = regexp.MustCompile(`^tracer_agent_kernel_missed_(runs|ends)_total$`)
	recordSeries  = regexp.MustCompile(`^tracer_agent_(kernel_)?records_total$`)
	badSeries     = regexp.MustCompile(`^tracer_agent_[a-z0-9_]*(desync|truncated|invalid|records_bad|dropped|orphaned|connections_http2)[a-z0-9_]*(\{|$)`)
)

// The metrics by which requests are accounted for.
const (
	requestsSeen    = "tracer_agent_requests_total"
	requestsOpen    = "tracer_agent_exchanges_open"
	requestsDropped = "tracer_agent_requests_dropped_total"
	spansOffered    = "tracer_agent_spans_offered_total"
	spansExported   = "tracer_agent_spans_exported_total"
	spansDropped    = "tracer_agent_spans_dropped_total"
	stoodIn         = "tracer_agent_kernel_stood_in_total"
	buffersCut      = `tracer_agent_kernel_unseen_calls_total{reason="too_many_buffers"}`
)

// sum adds up the series whose name and labels match re, and counts them.
func sum(series map[string]float64, re *regexp.Regexp) (total float64, n int) {
	for name, v := range series {
		if re.MatchString(name) {
			total += v
			n++
		}
	}
	return total, n
}

// value returns one series, which must exist.
func value(t *testing.T, series map[string]float64, name string) float64 {
	t.Helper()
	v, ok := series[name]
	if !ok {
		t.Errorf("no metric %s; there are: %v", name, sortedKeys(series))
	}
	return v
}

// missedRuns is how many runs of programs the kernel skipped and no stand-in made up
// for, where programs have stand-ins (docs/adr/0011-programs-have-stand-ins.md);
// anywhere else none may be.
func missedRuns(series map[string]float64) int {
	if series[stoodIn] == 0 {
		return 0
	}
	return int(series["tracer_agent_kernel_missed_runs_total"])
}

// checkNothingLost requires that loss is counted at all and that nothing was lost,
// but for missedRuns, which are of whoever else is on the processor, too.
func (a *agent) checkNothingLost(t *testing.T) {
	t.Helper()
	series := a.scrape(t)
	if _, n := sum(series, lossSeries); n == 0 {
		t.Errorf("no metric counts losses; metrics: %v", sortedKeys(series))
	}
	for _, name := range sortedKeys(series) {
		if skippedSeries.MatchString(name) && series[stoodIn] != 0 {
			continue
		}
		if lossSeries.MatchString(name) && series[name] != 0 {
			t.Errorf("%s = %v, want 0", name, series[name])
		}
	}
}

// accounts is what became of the requests on the wire, by the agent's own
// counters.
type accounts struct {
	seen    float64 // requests that were recognised
	told    float64 // spans offered to the exporter
	open    float64 // waiting for their answer
	ring    float64 // lost in the full ring of the kernel, so never recognised
	dropped float64 // recognised and dropped, for any other reason
	sent    float64 // spans that the receiver took
	unsent  float64 // spans dropped after they were offered
}

// accounts reads the counters; each reason for a drop must be a metric.
func (a *agent) accounts(t *testing.T) accounts {
	t.Helper()
	series := a.scrape(t)
	ring := value(t, series, requestsDropped+`{reason="data_ring_full"}`)
	dropped, n := sum(series, regexp.MustCompile("^"+requestsDropped+`\{`))
	unsent, m := sum(series, regexp.MustCompile("^"+spansDropped+`\{`))
	if n < 2 || m < 2 {
		t.Errorf("%d metrics %s, %d metrics %s; want one for each reason", n, requestsDropped, m, spansDropped)
	}
	return accounts{seen: value(t, series, requestsSeen), told: value(t, series, spansOffered), open: value(t, series, requestsOpen),
		ring: ring, dropped: dropped - ring, sent: value(t, series, spansExported), unsent: unsent}
}

// wire is how many requests the counters say there were.
func (n accounts) wire() float64 { return n.told + n.dropped + n.ring + n.open }

// lost is how many of them were counted as dropped, at any stage.
func (n accounts) lost() float64 { return n.dropped + n.ring + n.unsent }

// check requires that every request seen was told, dropped with a reason, or is
// still open. What the ring lost was never seen.
func (n accounts) check(t *testing.T) {
	t.Helper()
	if n.seen != n.told+n.dropped+n.open {
		t.Errorf("%v requests seen, but %v told + %v dropped + %v open", n.seen, n.told, n.dropped, n.open)
	}
}

// nonzero lists the agent's metrics that are not 0, for a report.
func nonzero(series map[string]float64) string {
	var b strings.Builder
	for _, name := range sortedKeys(series) {
		if strings.HasPrefix(name, "tracer_agent_") && series[name] != 0 {
			fmt.Fprintf(&b, "    %s %v\n", name, series[name])
		}
	}
	return b.String()
}
