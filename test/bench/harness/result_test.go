// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"math"
	"testing"
)

func TestSummarizeTakesPairs(t *testing.T) {
	// The machine gets slower from pair to pair; the agent always adds 10 %.
	r := Result{
		Off: []Trial{{ServerUS: 10}, {ServerUS: 20}, {ServerUS: 40}},
		On:  []Trial{{ServerUS: 11, AgentUS: 3}, {ServerUS: 22, AgentUS: 5}, {ServerUS: 44, AgentUS: 4}},
	}
	r.summarize()
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"OffUS", r.OffUS, 20},
		{"OnUS", r.OnUS, 22},
		{"AddedUS", r.AddedUS, 2},
		{"AddedPercent", r.AddedPercent, 10},
		{"SpreadUS", r.SpreadUS, 3},
		{"AgentUS", r.AgentUS, 4},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestMiddle(t *testing.T) {
	if got := middle([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("middle of four = %v", got)
	}
	if got := middle([]float64{9, 1, 2}); got != 2 {
		t.Errorf("middle of three = %v", got)
	}
}

func TestUnaccounted(t *testing.T) {
	r := Result{On: []Trial{{OK: 100, Server: 90, Dropped: 10}, {OK: 100, Server: 97, Dropped: -1}}}
	if got := r.unaccounted(); got != 3 {
		t.Errorf("unaccounted = %v, want 3", got)
	}
}

func TestBars(t *testing.T) {
	r := Report{Results: []Result{
		{Case: "nginx", AddedUS: 3, AgentUS: 12, Kernel: &Kernel{RunsPerRequest: 5, MapBytes: 20e6}, On: []Trial{{OK: 10, Server: 9}}},
		{Case: "unselected", Unselected: true, AddedUS: 2, AgentUS: 50},
	}}
	r.SetBars(Limits{AddedUS: map[string]float64{"nginx": 4, "unselected": 1}, AgentUS: 10, Runs: 6, MapMB: 24, DelayMS: 2000, Losses: true})
	want := map[string]bool{
		"server CPU added per request, nginx":              true,
		"server CPU added per request, unselected":         false,
		"agent CPU per request, nginx":                     false,
		"runs of BPF programs per request, nginx":          true,
		"kernel memory of maps":                            true,
		"requests without a span or a counted drop, nginx": false,
	}
	for _, bar := range r.Bars {
		met, known := want[bar.What]
		if !known || met != bar.Met() {
			t.Errorf("bar %q: met %v, known %v", bar.What, bar.Met(), known)
		}
		delete(want, bar.What)
	}
	for what := range want {
		t.Errorf("no bar %q", what)
	}
}
