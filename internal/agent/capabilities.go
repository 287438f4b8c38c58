// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/internal/caps"
)

// lasting are the capabilities without which no new process could be judged:
// executable, environment and sockets of other users' processes are read in
// /proc.
func lasting() caps.Set { return caps.Of(unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH) }

// probing are what a kernel may want before it puts a probe into a new Go process
// (perf_event_open(2)), the least first; without them its calls are linked by less.
func probing() []caps.Set {
	perfmon, bpf := caps.Of(unix.CAP_PERFMON), caps.Of(unix.CAP_BPF)
	return []caps.Set{0, perfmon, perfmon | bpf, caps.Of(unix.CAP_SYS_ADMIN)}
}

// mapping are what bpf(2) may want even of who has a map open: before Linux 5.19
// (commit c8644cd0efe7) CAP_BPF, where unprivileged use is disabled, or what
// stands for it.
func mapping() []caps.Set { return []caps.Set{0, caps.Of(unix.CAP_BPF), caps.Of(unix.CAP_SYS_ADMIN)} }

// dropCapabilities gives up what only loading and attaching needed. What is still
// needed is found by trying, before it is too late. An agent that cannot drop
// anything works all the same, and says so.
func (a *Agent) dropCapabilities() {
	keep := lasting()
	readMaps := func() error { _, err := a.probes.Stats(); return err }
	err := errors.Join(a.require(&keep, "maps", mapping(), readMaps), a.require(&keep, "probes", probing(), a.programs.try))
	var left caps.Set
	if err == nil {
		left, err = caps.Drop(keep)
	}
	if err != nil {
		a.log.Warn("capabilities not dropped", "error", err)
		return
	}
	a.log.Debug("capabilities dropped", "left", left)
}

// require adds to keep the first of sets with which try succeeds, and nothing if
// it does with none. Its error is about capabilities, not try's.
func (a *Agent) require(keep *caps.Set, what string, sets []caps.Set, try func() error) error {
	var failed error
	for _, more := range sets {
		if err := caps.Suspend(*keep | more); err != nil {
			return err
		}
		if failed = try(); failed == nil {
			*keep |= more
			return nil
		}
	}
	a.log.Debug("no capability helps", "with", what, "error", failed)
	return nil
}
