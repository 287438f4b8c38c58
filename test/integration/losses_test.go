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
	lossSeries = regexp.MustCompile(`^tracer_agent_[a-z0-9_]*(dropped|lost|missed|map_full|table_full)[a-z0-9_]*(\{|$)`)
	// lossCounts is lossSeries without what counts bytes.
	lossCounts   = regexp.MustCompile(`^tracer_agent_[a-z0-9_]*(dropped|lost_records)[a-z0-9_]*(\{|$)`)
	recordSeries = regexp.MustCompile(`^tracer_agent_(kernel_)?records_total$`)
	badSeries    = regexp.MustCompile(`^tracer_agent_[a-z0-9_]*(desync|truncated|invalid|records_bad|dropped|orphaned|connections_http2)[a-z0-9_]*(\{|$)`)
)

// The metrics by which requests are accounted for.
const (
	requestsSeen    = "tracer_agent_requests_total"
	requestsOpen    = "tracer_agent_exchanges_open"
	requestsDropped = "tracer_agent_requests_dropped_total"
	spansOffered    = "tracer_agent_spans_offered_total"
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

// checkNothingLost requires that loss is counted at all and that nothing was lost.
func (a *agent) checkNothingLost(t *testing.T) {
	t.Helper()
	series := a.scrape(t)
	if _, n := sum(series, lossSeries); n == 0 {
		t.Errorf("no metric counts losses; metrics: %v", sortedKeys(series))
	}
	for _, name := range sortedKeys(series) {
		if lossSeries.MatchString(name) && series[name] != 0 {
			t.Errorf("%s = %v, want 0", name, series[name])
		}
	}
}

// checkAccounts requires that every request seen was told, dropped with a
// reason, or is still open.
func (a *agent) checkAccounts(t *testing.T) {
	t.Helper()
	series := a.scrape(t)
	seen, open, offered := value(t, series, requestsSeen), value(t, series, requestsOpen), value(t, series, spansOffered)
	dropped, n := sum(series, regexp.MustCompile("^"+requestsDropped+`(\{|$)`))
	if n == 0 {
		t.Errorf("no metric %s", requestsDropped)
	}
	if seen != offered+dropped+open {
		t.Errorf("%v requests seen, but %v told + %v dropped + %v open", seen, offered, dropped, open)
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
