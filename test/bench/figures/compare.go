// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/tracer-agent/tracer-agent/test/bench/harness"
)

// figure is one number of a result.
type figure struct {
	name  string
	value func(*harness.Result) float64 // 0: not measured
}

// figures are those that reports are compared by.
func figures() []figure {
	return []figure{
		{"server off, µs", func(r *harness.Result) float64 { return r.OffUS }},
		{"added in the path, µs", func(r *harness.Result) float64 { return r.AddedUS }},
		{"agent, µs", func(r *harness.Result) float64 { return r.AgentUS }},
		{"BPF runs", func(r *harness.Result) float64 {
			if r.Kernel == nil {
				return 0
			}
			return r.Kernel.RunsPerRequest
		}},
		{"BPF ns", func(r *harness.Result) float64 {
			if r.Kernel == nil {
				return 0
			}
			return r.Kernel.NanosPerRequest
		}},
		{"ring records", func(r *harness.Result) float64 { return r.Records }},
		{"ring bytes", func(r *harness.Result) float64 { return r.RecordBytes }},
		{"agent resident, MB", func(r *harness.Result) float64 { return float64(r.AgentRSS) / 1e6 }},
	}
}

// compare lists, for each result that both reports have, what changed.
func compare(old, now *harness.Report) string {
	var b strings.Builder
	for _, r := range []*harness.Report{old, now} {
		fmt.Fprintf(&b, "%s, kernel %s, %d CPUs, clock: %s\n", r.Date.Format("2006-01-02 15:04"), r.Kernel, r.CPUs, r.Clock)
	}
	if old.Clock != now.Clock || old.Kernel != now.Kernel {
		b.WriteString("These are different clocks or kernels: the figures cannot be compared.\n")
	}
	b.WriteString("\n| case | per request | old | new | change |\n|---|---|---|---|---|\n")
	for i := range now.Results {
		is := &now.Results[i]
		was := find(old, is.Label())
		if was == nil {
			continue
		}
		for _, f := range figures() {
			before, after := f.value(was), f.value(is)
			if before == 0 && after == 0 {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f | %s |\n", is.Label(), f.name, before, after, change(before, after))
		}
	}
	return b.String()
}

func find(r *harness.Report, label string) *harness.Result {
	for i := range r.Results {
		if r.Results[i].Label() == label {
			return &r.Results[i]
		}
	}
	return nil
}

func change(before, after float64) string {
	if before == 0 {
		return "new"
	}
	return fmt.Sprintf("%+.1f %%", 100*(after/before-1))
}
