// SPDX-License-Identifier: Apache-2.0

// Package selfmetrics shows the agent's own counters over HTTP: /metrics in
// Prometheus format, /healthz and /readyz. The agent keeps plain or atomic
// counters wherever they belong; this package asks for them when it is scraped,
// so that counting costs the hot path one addition.
package selfmetrics

import "github.com/prometheus/client_golang/prometheus"

// Prefix begins the name of every sample's metric.
const Prefix = "tracer_agent_"

// Kind says how a value may change.
type Kind uint8

const (
	Counter Kind = iota // only rises, from zero at the agent's start
	Gauge               // goes both ways
)

// Label is one dimension of a sample. The set of its values must be bounded.
type Label struct {
	Name, Value string
}

// Sample is one value at the moment of a scrape.
type Sample struct {
	// Name without Prefix: "spans_exported_total". Counters end in _total,
	// units are base units and part of the name (_seconds, _bytes).
	Name string
	// Help is one sentence. Samples of one name have the same Help, Kind and
	// label names.
	Help   string
	Kind   Kind
	Labels []Label
	Value  float64
}

// Source emits every sample once. It is called for each scrape, possibly by
// several goroutines at a time, and must not block.
type Source func(emit func(Sample))

// collector turns a Source into metrics.
type collector struct {
	source Source
}

// Describe implements prometheus.Collector. Describing nothing makes the
// collector an unchecked one: what it has is known only when it is asked.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	c.source(func(s Sample) { metrics <- s.metric() })
}

// metric is s as a metric. One that is not well formed reports that when it is
// gathered.
func (s Sample) metric() prometheus.Metric {
	names := make([]string, len(s.Labels))
	values := make([]string, len(s.Labels))
	for i, l := range s.Labels {
		names[i], values[i] = l.Name, l.Value
	}
	kind := prometheus.CounterValue
	if s.Kind == Gauge {
		kind = prometheus.GaugeValue
	}
	desc := prometheus.NewDesc(Prefix+s.Name, s.Help, names, nil)
	metric, err := prometheus.NewConstMetric(desc, kind, s.Value, values...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return metric
}
