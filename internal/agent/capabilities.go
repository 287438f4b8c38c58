// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/internal/caps"
)

// lasting are the capabilities without which no new process could be judged:
// executable, environment and sockets of other users' processes are read in
// /proc.
func lasting() caps.Set { return caps.Of(unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH) }

// probing are those with which a new Go process gets its probe
// (perf_event_open(2)); without them its calls are linked by less.
func probing() caps.Set { return caps.Of(unix.CAP_PERFMON, unix.CAP_BPF) }

// mapping are those that bpf(2) asks for even of who has a map open, before
// Linux 5.19 (commit c8644cd0efe7) and where unprivileged use is disabled.
func mapping() caps.Set { return caps.Of(unix.CAP_BPF, unix.CAP_SYS_ADMIN) }

// dropCapabilities gives up what only loading and attaching needed. Whether the
// maps stay usable is tried before it is too late. An agent that cannot drop
// anything works all the same, and says so.
func (a *Agent) dropCapabilities() {
	keep := lasting() | probing()
	if err := caps.Suspend(keep); err != nil {
		a.log.Warn("capabilities not dropped", "error", err)
		return
	}
	if _, err := a.probes.Stats(); err != nil {
		a.log.Debug("this kernel wants capabilities for reading maps", "error", err)
		keep |= mapping()
		if held, err := caps.Permitted(); err == nil && held.Has(caps.Of(unix.CAP_BPF)) {
			keep &^= caps.Of(unix.CAP_SYS_ADMIN)
		}
	}
	if err := a.programs.try(); err != nil {
		a.log.Debug("this kernel wants more capabilities for probes", "error", err)
		keep |= caps.Of(unix.CAP_SYS_ADMIN)
	}
	left, err := caps.Drop(keep)
	if err != nil {
		a.log.Warn("capabilities not dropped", "error", err)
		return
	}
	a.log.Debug("capabilities dropped", "left", left)
}
