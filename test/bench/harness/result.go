// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"slices"

	"github.com/tracer-agent/tracer-agent/test/bench/sink"
	"github.com/tracer-agent/tracer-agent/test/rig"
)

// Trial is one run of the load. Times per request are CPU time in microseconds.
type Trial struct {
	OK, Failed   int
	ServerUS     float64 // server, per request
	AgentUS      float64 // agent, per request, until its last span is out
	PerSecond    float64
	P50US, P99US float64 // answer times as the client saw them

	// With the agent only.
	Server, Other, Repeat int         `json:",omitempty"` // spans by kind; ids seen twice
	Dropped               float64     `json:",omitempty"` // as the agent counts; -1: it does not tell
	Counters              rig.Metrics `json:",omitempty"` // the agent's own, as far as they changed
	BytesPerSpan          float64     `json:",omitempty"` // on the wire
	RSS, Peak             int64       `json:",omitempty"`
	ReadyS                float64     `json:",omitempty"` // start to the ready line
	FirstSpanS            float64     `json:",omitempty"` // start to the first span at the sink
	StartCPUS             float64     `json:",omitempty"` // agent's CPU until then
	StopS                 float64     `json:",omitempty"` // SIGTERM to exit
}

func (t *Trial) addSpans(c sink.Counts) {
	t.Server, t.Other, t.Repeat = c.Server, c.Other, c.Repeat
	if c.Spans() > 0 {
		t.BytesPerSpan = float64(c.Bytes) / float64(c.Spans())
	}
}

// count takes over what the agent's counters say since before.
func (t *Trial) count(a *agent, before rig.Metrics) {
	now := a.counters()
	t.Counters = now.Since(before)
	t.Dropped = -1
	if now != nil {
		t.Dropped = t.Counters.Sum(a.drops)
	}
}

// Counters of tracer-agent that tell what comes through the ring.
const (
	recordsTotal     = "tracer_agent_records_total"
	recordBytesTotal = "tracer_agent_record_bytes_total"
)

func (t Trial) perRequest(counter string) float64 { return t.Counters[counter] / float64(max(t.OK, 1)) }

// Result is one case. Figures are medians over the runs unless told otherwise.
type Result struct {
	Case        string
	Server      string
	Backend     string  `json:",omitempty"`
	Agent       string  `json:",omitempty"` // its binary
	Other       bool    `json:",omitempty"` // of the other agent, that of Settings.Vs
	Unselected  bool    `json:",omitempty"`
	Group       string  `json:",omitempty"` // cases that differ in X alone
	X           float64 `json:",omitempty"`
	Requests    int     // per run
	Connections int

	OffUS        float64 // server CPU per request without the agent
	OnUS         float64 // and with it
	AddedUS      float64 // median of the pairs' differences
	AddedPercent float64 // median of the pairs' ratios, less 100 %
	SpreadUS     float64 // largest less smallest difference of the pairs
	BestPercent  float64 // as AddedPercent, of the quickest runs: others only slow things down
	AgentUS      float64
	IdlePercent  float64 // agent's CPU without requests, of one processor
	OffPerSecond float64
	OnPerSecond  float64
	ReadyS       float64
	FirstSpanS   float64
	AgentRSS     int64 // at the end
	AgentPeak    int64
	Records      float64 `json:",omitempty"` // ring records per request
	RecordBytes  float64 `json:",omitempty"` // and their bytes

	Kernel     *Kernel     `json:",omitempty"`
	Delay      *Delay      `json:",omitempty"`
	Saturation *Saturation `json:",omitempty"`
	Off, On    []Trial
}

// Label names the result among those of its report.
func (r *Result) Label() string {
	label := r.Case
	if r.Backend != "" {
		label += ", " + r.Backend
	}
	if r.Other {
		label += ", other agent"
	}
	return label
}

// summarize fills the medians in from the trials.
func (r *Result) summarize() {
	var added, ratio []float64
	for i := range r.On {
		added = append(added, r.On[i].ServerUS-r.Off[i].ServerUS)
		ratio = append(ratio, r.On[i].ServerUS/r.Off[i].ServerUS)
	}
	r.OffUS = median(r.Off, func(t Trial) float64 { return t.ServerUS })
	r.OnUS = median(r.On, func(t Trial) float64 { return t.ServerUS })
	r.AddedUS = middle(added)
	r.AddedPercent = 100 * (middle(ratio) - 1)
	r.BestPercent = 100 * (fastest(r.On)/fastest(r.Off) - 1)
	r.SpreadUS = slices.Max(added) - slices.Min(added)
	r.AgentUS = median(r.On, func(t Trial) float64 { return t.AgentUS })
	r.OffPerSecond = median(r.Off, func(t Trial) float64 { return t.PerSecond })
	r.OnPerSecond = median(r.On, func(t Trial) float64 { return t.PerSecond })
	r.ReadyS = median(r.On, func(t Trial) float64 { return t.ReadyS })
	r.FirstSpanS = median(r.On, func(t Trial) float64 { return t.FirstSpanS })
	r.Records = median(r.On, func(t Trial) float64 { return t.perRequest(recordsTotal) })
	r.RecordBytes = median(r.On, func(t Trial) float64 { return t.perRequest(recordBytesTotal) })
}

// unaccounted returns how many requests of the runs with the agent have neither
// a span nor a counted drop (positive), or spans too many (negative).
func (r *Result) unaccounted() float64 {
	sum := 0.0
	for _, t := range r.On {
		sum += float64(t.OK-t.Server) - max(t.Dropped, 0)
	}
	return sum
}

func fastest(trials []Trial) float64 {
	best := trials[0].ServerUS
	for _, t := range trials {
		best = min(best, t.ServerUS)
	}
	return best
}

func median(trials []Trial, f func(Trial) float64) float64 {
	var values []float64
	for _, t := range trials {
		values = append(values, f(t))
	}
	return middle(values)
}

// middle returns the median of at least one value.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
