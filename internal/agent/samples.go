// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/internal/selfmetrics"
)

type emit = func(selfmetrics.Sample)

func counter(e emit, name, help string, v uint64, labels ...selfmetrics.Label) {
	e(selfmetrics.Sample{Name: name, Help: help, Kind: selfmetrics.Counter, Labels: labels, Value: float64(v)})
}

func gauge(e emit, name, help string, v float64, labels ...selfmetrics.Label) {
	e(selfmetrics.Sample{Name: name, Help: help, Kind: selfmetrics.Gauge, Labels: labels, Value: v})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func label(name, value string) selfmetrics.Label { return selfmetrics.Label{Name: name, Value: value} }

const requestsDropped = "Requests that became no span, by reason."

// samples are the agent's own metrics. Together they account for every request:
// seen = exported + dropped by reason + still open.
func (a *Agent) samples(e emit) {
	a.kernelSamples(e)
	a.selectionSamples(e)
	a.kubernetesSamples(e)
	a.configurationSamples(e)
	a.pipelineSamples(e)
	a.exportSamples(e)
}

func (a *Agent) kernelSamples(e emit) {
	k, err := a.probes.Stats()
	if err != nil {
		a.log.Warn("kernel counters unreadable", "error", err)
		return
	}
	gauge(e, "backend_info", "The backend in use, as a label.", 1, label("backend", string(a.probes.Backend())))
	gauge(e, "kernel_hooks_missing", "Optional hooks that did not attach.", float64(len(a.probes.Missing())))
	counter(e, "kernel_connections_total", "Connections that carried a message head.", k.Conns)
	const lost = "Records lost in the kernel, by reason."
	counter(e, "kernel_lost_records_total", lost, k.LostRecords, label("reason", "data_ring_full"))
	counter(e, "kernel_lost_records_total", lost, k.LostControl, label("reason", "control_ring_full"))
	counter(e, "kernel_lost_bytes_total", "Captured bytes of lost records.", k.LostBytes)
	counter(e, "requests_dropped_total", requestsDropped, k.LostRequests, label("reason", "data_ring_full"))
	const unseen = "Socket calls of which bytes were not seen, by reason."
	counter(e, "kernel_unseen_calls_total", unseen, k.UnseenCalls, label("reason", "no_user_buffer"))
	counter(e, "kernel_unseen_calls_total", unseen, k.ReadFaults, label("reason", "fault"))
	counter(e, "kernel_unseen_calls_total", unseen, k.SegsCut, label("reason", "too_many_buffers"))
	const full = "Times that a kernel map had no room, by map."
	counter(e, "kernel_map_full_total", full, k.ConnFull, label("map", "connections"))
	counter(e, "kernel_map_full_total", full, k.VerdictFull, label("map", "verdicts"))
	counter(e, "kernel_map_full_total", full, k.ProgressFull, label("map", "progress"))
	counter(e, "kernel_map_full_total", full, k.CallerFull, label("map", "callers"))
	counter(e, "kernel_missed_runs_total", "Program runs that the kernel skipped, since one was under way on that processor, and that no stand-in made up for.", k.Missed)
	counter(e, "kernel_missed_ends_total", "Ends of connections that the kernel did not tell of; they are noticed later.", k.MissedEnds)
	counter(e, "kernel_stood_in_total", "Program runs that the kernel skipped and a stand-in made up for: nothing is missing.", k.StoodIn)
}

func (a *Agent) selectionSamples(e emit) {
	d := a.discovery.Stats()
	const processes = "Processes with a verdict."
	gauge(e, "processes", processes, float64(d.Selected), label("verdict", "selected"))
	gauge(e, "processes", processes, float64(d.Candidates), label("verdict", "candidate"))
	gauge(e, "processes", processes, float64(d.Excluded), label("verdict", "excluded"))
	gauge(e, "cgroups_selected", "Cgroups that are selected by their id.", float64(d.Cgroups))
	counter(e, "discovery_judgements_total", "Judgements of a process.", d.Judged)
	counter(e, "discovery_kernel_errors_total", "Failed updates of the kernel's selection; the process stays unselected.", d.KernelErrors)
	counter(e, "discovery_limit_total", "Verdicts that were not applied because of a limit.", d.LimitHit)
}

func (a *Agent) kubernetesSamples(e emit) {
	if a.cluster == nil {
		return
	}
	s := a.cluster.Stats()
	gauge(e, "kubernetes_synced", "1 once the pods of this node and the namespaces were read: before, nothing in pods is selected.", truth(s.Synced))
	gauge(e, "kubernetes_watches", "Watches of the Kubernetes API that are open.", float64(s.Watches))
	gauge(e, "kubernetes_watches_wanted", "Watches that are open if all is well.", float64(s.WatchesWanted))
	gauge(e, "kubernetes_pods", "Pods of this node that are known.", float64(s.Pods))
	gauge(e, "kubernetes_namespaces", "Namespaces that are known.", float64(s.Namespaces))
	gauge(e, "kubernetes_peer_addresses", "Addresses of pods and Services that are known.", float64(s.Peers))
	counter(e, "kubernetes_peer_addresses_full_total", "Pods and Services that were not kept because of kubernetes.max_peers.", s.PeersFull)
	counter(e, "kubernetes_lists_total", "Times that a collection was read as a whole.", s.Lists)
	counter(e, "kubernetes_events_total", "Events of watches.", s.Events)
	counter(e, "kubernetes_failures_total", "Lists and watches that failed.", s.Failures)
}

func (a *Agent) configurationSamples(e emit) {
	const help = "Configurations that were read while running, by result."
	counter(e, "config_reloads_total", help, a.reloads.applied.Load(), label("result", "applied"))
	counter(e, "config_reloads_total", help, a.reloads.rejected.Load(), label("result", "rejected"))
	gauge(e, "config_rejected", "1 if the configuration that was read last was rejected, so that an older one is in force.", truth(a.reloads.bad.Load()))
}

func (a *Agent) pipelineSamples(e emit) {
	t := a.pipeline.totals()
	c := t.table
	counter(e, "records_total", "Records read from the kernel.", t.records)
	counter(e, "record_bytes_total", "Bytes of those records.", t.bytes)
	counter(e, "records_bad_total", "Records that did not decode.", t.bad)
	counter(e, "records_thrown_total", "Records thrown away because a test asked for it.", t.thrown)
	gauge(e, "connections", "Connections in the table.", float64(c.OpenConnections))
	gauge(e, "exchanges_open", "Requests whose span is not finished: the response has not ended, or the trace is not known yet.",
		float64(c.OpenExchanges+t.builder.Links.Held))
	counter(e, "requests_total", "Request heads that were recognised.", c.Requests)
	counter(e, "requests_dropped_total", requestsDropped, c.DroppedLost, label("reason", "response_lost"))
	counter(e, "requests_dropped_total", requestsDropped, c.DroppedBroken, label("reason", "connection_not_followed"))
	counter(e, "requests_dropped_total", requestsDropped, c.DroppedEvicted, label("reason", "connection_table_full"))
	counter(e, "requests_dropped_total", requestsDropped, t.builder.Unsampled, label("reason", "not_sampled"))
	counter(e, "requests_dropped_total", requestsDropped, t.builder.Unselected, label("reason", "not_selected"))
	counter(e, "requests_dropped_total", requestsDropped, t.builder.Instrumented, label("reason", "instrumented"))
	counter(e, "responses_orphaned_total", "Responses whose request was not seen.", c.Orphans)
	counter(e, "responses_overtaken_total", "Responses that were reported before their request, and waited for it.", c.Overtaken)
	counter(e, "slices_unknown_total", "Slices of connections that are not known.", c.UnknownConn)
	counter(e, "slices_reordered_total", "Slices that came too late.", c.Reordered)
	counter(e, "bytes_lost_total", "Bytes that no record told of.", c.LostBytes)
	counter(e, "desyncs_total", "Runs of bytes in which no message could be recognised.", c.Desyncs)
	counter(e, "heads_truncated_total", "Request heads cut by a limit.", c.TruncatedHeads)
	counter(e, "connections_http2_total", "Connections that turned out to be HTTP/2.", c.HTTP2)
	counter(e, "connections_tunnelled_total", "Connections that left HTTP by Upgrade or CONNECT.", c.Tunnels)
	linkSamples(e, t.builder.Links)
	counter(e, "contexts_invalid_total", "Trace context headers that were present but not valid.", t.builder.InvalidContexts)
}

// linkSamples tell how spans were joined into traces.
func linkSamples(e emit, s link.Stats) {
	for _, evidence := range link.AllEvidence() {
		counter(e, "links_total", "Parents found on this host, by what tells them.", s.Links[evidence], label("evidence", evidence.String()))
	}
	const missing = "Parents not found although there may be one, by reason."
	counter(e, "links_missing_total", missing, s.Ambiguous, label("reason", "ambiguous"))
	counter(e, "links_missing_total", missing, s.Unlinked, label("reason", "no_evidence"))
	counter(e, "links_missing_total", missing, s.Late, label("reason", "late"))
	counter(e, "links_missing_total", missing, s.Mismatch, label("reason", "ends_differ"))
	counter(e, "links_shared_total", "Calls that served several requests: span links instead of a parent.", s.Shared)
	gauge(e, "spans_held", "Finished spans that wait for news of their trace.", float64(s.Held))
	counter(e, "spans_held_forced_total", "Spans that did not wait because too many did.", s.Forced)
	gauge(e, "link_processes", "Processes whose requests and calls are remembered.", float64(s.Processes))
}

func (a *Agent) exportSamples(e emit) {
	q := a.queue.Stats()
	counter(e, "spans_offered_total", "Spans handed to the export queue.", q.Offered)
	counter(e, "spans_exported_total", "Spans that the receiver took.", q.Exported)
	for r := range export.NumDropReasons {
		counter(e, "spans_dropped_total", "Spans lost after they were made, by reason.", q.Dropped[r], label("reason", export.DropReason(r).String()))
	}
	gauge(e, "queue_spans", "Spans waiting or being sent.", float64(q.Len))
	counter(e, "export_batches_total", "Batches of which at least one span was taken.", q.Batches)
	counter(e, "export_retries_total", "Attempts after the first of a batch.", q.Retries)
	counter(e, "export_bytes_total", "Encoded bytes handed to the transport.", q.Bytes)
}
