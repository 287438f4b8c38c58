// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"regexp"
	"testing"
)

func TestCounters(t *testing.T) {
	before := parseCounters("# TYPE x_total counter\nx_total 5\n")
	now := parseCounters(`# TYPE x_total counter
x_total 7
spans_dropped_total{reason="queue full"} 3
spans_dropped_total{reason="other"} 4
queue_spans 99
`)
	changed := now.since(before)
	if len(changed) != 3 || changed["x_total"] != 2 {
		t.Errorf("changed: %v", changed)
	}
	if got := changed.sum(regexp.MustCompile("dropped")); got != 7 {
		t.Errorf("sum = %v, want 7", got)
	}
	if got := counters(nil).sum(regexp.MustCompile("dropped")); got != -1 {
		t.Errorf("sum of no counters = %v, want -1", got)
	}
}
