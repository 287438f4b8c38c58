// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"strings"
)

// Markdown renders the report as tables.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on kernel %s, %d CPUs, clock: %s.\n\nAgent: `%s`\n", r.Date.Format("2006-01-02"), r.Kernel, r.CPUs, r.Clock, r.Agent)
	if len(r.Bars) > 0 {
		b.WriteString("\n| what | measured | bar | met |\n|---|---|---|---|\n")
		for _, bar := range r.Bars {
			fmt.Fprintf(&b, "| %s | %s %s | ≤ %s %s | %s |\n", bar.What, figure(bar.Value), bar.Unit, figure(bar.Limit), bar.Unit, yesNo(bar.Met()))
		}
	}
	b.WriteString("\n| case | server µs/request off → on | added µs (spread) | added (quickest runs) | agent µs/request (idle) | requests/s off → on | BPF runs, ns per request | ring records, bytes per request | spans of requests |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Results {
		r.Results[i].row(&b)
	}
	for i := range r.Results {
		r.Results[i].details(&b)
	}
	return b.String()
}

func (r *Result) row(b *strings.Builder) {
	runs := "–"
	if r.Kernel != nil {
		runs = fmt.Sprintf("%.2f, %.0f", r.Kernel.RunsPerRequest, r.Kernel.NanosPerRequest)
	}
	spans, requests := 0, 0
	for _, t := range r.On {
		spans += t.Server
		requests += t.OK
	}
	fmt.Fprintf(b, "| %s | %.2f → %.2f | %+.2f (%.2f) | %+.1f %% (%+.1f %%) | %.2f (%.2f %%) | %.0f → %.0f | %s | %.2f, %.0f | %d of %d |\n",
		r.Label(), r.OffUS, r.OnUS, r.AddedUS, r.SpreadUS, r.AddedPercent, r.BestPercent, r.AgentUS, r.IdlePercent, r.OffPerSecond, r.OnPerSecond, runs, r.Records, r.RecordBytes, spans, requests)
}

func (r *Result) details(b *strings.Builder) {
	if r.Kernel == nil {
		return
	}
	fmt.Fprintf(b, "\n%s: agent resident %.1f MB, peak %.1f MB; ready after %.2f s, first span after %.2f s; %d programs, %d maps of %.1f MB; %d programs of others loaded.\n",
		r.Label(), float64(r.AgentRSS)/mega, float64(r.AgentPeak)/mega, r.ReadyS, r.FirstSpanS, r.Kernel.Loaded, r.Kernel.Maps, float64(r.Kernel.MapBytes)/mega, r.Kernel.Foreign)
	if d := r.Delay; d != nil {
		fmt.Fprintf(b, "Response end to span at the sink: p50 %.0f ms, p99 %.0f ms, most %.0f ms; %d of %d spans missing.\n", d.P50MS, d.P99MS, d.MaxMS, d.Missing, d.Requests)
	}
	if s := r.Saturation; s != nil {
		s.Full.sentence(b, "At saturation")
		s.Half.sentence(b, "At half of it")
	}
	b.WriteString("\n| program | type | runs/request | ns/request |\n|---|---|---|---|\n")
	for _, p := range r.Kernel.Programs {
		fmt.Fprintf(b, "| %s | %s | %.3f | %.0f |\n", p.Name, p.Type, p.RunsPerRequest, p.NanosPerRequest)
	}
}

func (l Loss) sentence(b *strings.Builder, where string) {
	fmt.Fprintf(b, "%s (%.0f requests/s): %d requests, %d spans, %.0f counted drops.\n", where, l.PerSecond, l.Requests, l.Spans, l.Dropped)
}

// figure prints a number as short as its size allows.
func figure(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "**no**"
}
