// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"regexp"
	"testing"
)

func TestMetrics(t *testing.T) {
	before := ParseMetrics("# TYPE x_total counter\nx_total 5\n")
	now := ParseMetrics(`# TYPE x_total counter
x_total 7
spans_dropped_total{reason="queue full"} 3
spans_dropped_total{reason="other"} 4
queue_spans 99
`)
	if len(now) != 4 || now["queue_spans"] != 99 {
		t.Errorf("parsed: %v", now)
	}
	changed := now.Since(before)
	if len(changed) != 3 || changed["x_total"] != 2 {
		t.Errorf("changed: %v", changed)
	}
	if got := changed.Sum(regexp.MustCompile("dropped")); got != 7 {
		t.Errorf("sum = %v, want 7", got)
	}
	if got := Metrics(nil).Sum(regexp.MustCompile("dropped")); got != 0 {
		t.Errorf("sum of no metrics = %v, want 0", got)
	}
}
