// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"regexp"
	"testing"
)

// The agent's counters are recognised by what their names mean, since names are
// its own business: what was lost, what was not understood, and what the
// kernel sent.
var (
	lossSeries   = regexp.MustCompile(`(?i)^[a-z0-9_]*(drop|lost|loss|overflow|overrun|evict|missed|ring_full|gap)[a-z0-9_]*(\{|$)`)
	badSeries    = regexp.MustCompile(`(?i)(desync|malform|reject|invalid|not_http|nothttp|non_http|unparsed|parse_err|truncat|discard|garbage|abandon|oversize|head_too)`)
	recordSeries = regexp.MustCompile(`(?i)^[a-z0-9_]*(record|event)s?[a-z0-9_]*_total(\{|$)`)
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

// checkNothingLost requires that loss is counted at all and that nothing was.
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
