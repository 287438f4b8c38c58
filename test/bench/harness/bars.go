// SPDX-License-Identifier: Apache-2.0

package harness

const mega = 1e6

// Limits are what a benchmark's figures are held against. A zero limit is none.
type Limits struct {
	AddedPercent map[string]float64 // by case: added server CPU
	AddedUS      map[string]float64 // by case: added server CPU per request
	AgentUS      float64            // agent CPU per request, in every selected case
	Runs         float64            // runs of BPF programs per request
	RSSMB        float64
	PeakMB       float64
	MapMB        float64
	BinaryMB     float64
	FirstSpanS   float64
	DelayMS      float64 // p99
	Losses       bool    // spans + drops = requests; at half load no drops
}

// SetBars fills Bars in from the results. What was not measured has no bar.
func (r *Report) SetBars(l Limits) {
	add := func(what string, value, limit float64, unit string) {
		if limit > 0 && value != 0 {
			r.Bars = append(r.Bars, Bar{What: what, Value: value, Limit: limit, Unit: unit})
		}
	}
	for i := range r.Results {
		c := &r.Results[i]
		if c.Other {
			continue
		}
		add("server CPU added, "+c.Label(), c.AddedPercent, l.AddedPercent[c.Case], "%")
		add("server CPU added per request, "+c.Label(), c.AddedUS, l.AddedUS[c.Case], "µs")
		if !c.Unselected && c.Group == "" {
			add("agent CPU per request, "+c.Label(), c.AgentUS, l.AgentUS, "µs")
		}
		if c.Kernel != nil && c.Group == "" {
			add("runs of BPF programs per request, "+c.Label(), c.Kernel.RunsPerRequest, l.Runs, "")
		}
	}
	r.setSizeBars(add, l)
	if l.Losses {
		r.setLossBars()
	}
}

func (r *Report) setSizeBars(add func(string, float64, float64, string), l Limits) {
	var rss, peak, maps, first, delay float64
	for i := range r.Results {
		c := &r.Results[i]
		if c.Other || c.Group != "" {
			continue
		}
		rss, peak = max(rss, float64(c.AgentRSS)/mega), max(peak, float64(c.AgentPeak)/mega)
		first = max(first, c.FirstSpanS)
		if c.Kernel != nil {
			maps = max(maps, float64(c.Kernel.MapBytes)/mega)
		}
		if c.Delay != nil {
			delay = max(delay, c.Delay.P99MS)
		}
	}
	add("agent resident memory after load", rss, l.RSSMB, "MB")
	add("agent resident memory, peak", peak, l.PeakMB, "MB")
	add("kernel memory of maps", maps, l.MapMB, "MB")
	add("binary", float64(r.BinaryBytes)/mega, l.BinaryMB, "MB")
	add("start to first span at the sink", first, l.FirstSpanS, "s")
	add("response end to span at the sink, p99", delay, l.DelayMS, "ms")
}

func (r *Report) setLossBars() {
	for i := range r.Results {
		c := &r.Results[i]
		if c.Other {
			continue
		}
		if !c.Unselected {
			r.Bars = append(r.Bars, Bar{What: "requests without a span or a counted drop, " + c.Label(), Value: abs(c.unaccounted())})
		}
		if s := c.Saturation; s != nil {
			r.Bars = append(r.Bars,
				Bar{What: "the same at saturation, " + c.Label(), Value: abs(s.Full.unaccounted())},
				Bar{What: "requests without a span at half of saturation, " + c.Label(), Value: abs(float64(s.Half.Requests - s.Half.Spans))})
		}
	}
}

func (l Loss) unaccounted() float64 {
	return float64(l.Requests-l.Spans) - max(l.Dropped, 0)
}

func abs(x float64) float64 { return max(x, -x) }
