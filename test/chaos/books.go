// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tracer-agent/tracer-agent/test/rig"
)

// Names of the agent's metrics that account for requests.
const (
	requestsDropped = "tracer_agent_requests_dropped_total"
	spansDropped    = "tracer_agent_spans_dropped_total"
	spansExported   = "tracer_agent_spans_exported_total"
	queueSpans      = "tracer_agent_queue_spans"
	exchangesOpen   = "tracer_agent_exchanges_open"
	exportRetries   = "tracer_agent_export_retries_total"
	mapFull         = "tracer_agent_kernel_map_full_total"
	lostRecords     = "tracer_agent_kernel_lost_records_total"
	processLimit    = "tracer_agent_discovery_limit_total"
)

// books is what became of the requests, by the agent's own counters.
type books struct {
	exported, queued, open float64
	drops                  map[string]float64 // by reason, requests and spans
}

func readBooks(m rig.Metrics) books {
	b := books{exported: m[spansExported], queued: m[queueSpans], open: m[exchangesOpen], drops: map[string]float64{}}
	for series, value := range m {
		name, labels, _ := strings.Cut(series, "{")
		if (name == requestsDropped || name == spansDropped) && value != 0 {
			b.drops[reason(labels)] += value
		}
	}
	return b
}

// reason is the value of the only label.
func reason(labels string) string {
	_, value, _ := strings.Cut(labels, `="`)
	return strings.TrimSuffix(value, `"}`)
}

// equal says that nothing has moved between two looks.
func (b books) equal(other books) bool {
	return b.exported == other.exported && b.queued == other.queued && b.open == other.open && b.dropped() == other.dropped()
}

func (b books) dropped() float64 {
	sum := 0.0
	for _, n := range b.drops {
		sum += n
	}
	return sum
}

// list names the drops, the largest first.
func (b books) list() string {
	if len(b.drops) == 0 {
		return "0"
	}
	var reasons []string
	for r := range b.drops {
		reasons = append(reasons, r)
	}
	slices.SortFunc(reasons, func(x, y string) int { return int(b.drops[y] - b.drops[x]) })
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%.0f `%s`", b.drops[r], r)
	}
	return strings.Join(reasons, ", ")
}
