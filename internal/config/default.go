// SPDX-License-Identifier: Apache-2.0

package config

import (
	"time"

	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// Default returns the configuration that holds when nothing is said. It is
// valid and selects nothing. The result shares no memory with another call's.
func Default() Config {
	return Config{
		HTTP: HTTP{
			RequestHeadBytes:  8192,
			ResponseHeadBytes: 2048,
			MaxFields:         128,
		},
		Sampling: Sampling{Sampler: "parentbased_traceidratio", Ratio: 1},
		Export: Export{
			QueueBytes: 24 << 20, QueueSpans: 65536,
			BatchSpans:      512,
			BatchDelay:      200 * time.Millisecond,
			ShutdownTimeout: 5 * time.Second,
		},
		Propagation: Propagation{
			Formats:            defaultFormats(),
			CorrelationHeaders: []string{"x-request-id"},
		},
		Kubernetes: Kubernetes{API: "auto", Peers: true, MaxPeers: 65536},
		Kernel: Kernel{
			Backend:        "auto",
			RingBytes:      4 << 20,
			MaxProcesses:   16384,
			MaxConnections: 65536,
			BatchInterval:  20 * time.Millisecond,
		},
		Limits:  Limits{IdleUnixConnection: 10 * time.Second, PipelinedRequests: 1024, HeldSpans: 8192},
		Linking: Linking{Hold: 100 * time.Millisecond, InstrumentedProcesses: "silent", LookIntoProcesses: true},
		Log:     Log{Level: "info", Format: "text"},
	}
}

func defaultFormats() []string {
	var names []string
	for _, f := range tracecontext.DefaultOrder() {
		names = append(names, f.String())
	}
	return names
}
