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
	readMaps := func() error { _, err := a.probes.Stats(); return err }
	needs := []requirement{{mapping(), readMaps, func(err error) { a.log.Warn("maps not readable", "error", err) }}}
	if !a.programs.bare.Load() {
		needs = append(needs, requirement{probing(), a.programs.try, a.programs.withoutProbes})
	}
	left, err := a.dropAllBut(needs...)
	if err != nil {
		a.log.Warn("capabilities not dropped", "error", err)
		return
	}
	a.log.Debug("capabilities dropped", "left", left)
}

// requirement is something that may need capabilities.
type requirement struct {
	sets   []caps.Set // one of which helps, the least first
	try    func() error
	failed func(error) // is told of try's error if none does
}

// dropAllBut drops all but the lasting capabilities and, for each requirement, the
// first of its sets with which it can be met.
func (a *Agent) dropAllBut(list ...requirement) (left caps.Set, err error) {
	keep := lasting()
	for _, r := range list {
		more, failed, err := r.least(keep)
		if err != nil {
			return 0, err
		}
		if failed != nil {
			r.failed(failed)
		}
		keep |= more
	}
	return caps.Drop(keep)
}

// least returns the first set that helps beside keep, or none and why try failed.
// err is about capabilities, not about try.
func (r requirement) least(keep caps.Set) (more caps.Set, failed, err error) {
	for _, more := range r.sets {
		if err := caps.Suspend(keep | more); err != nil {
			return 0, nil, err
		}
		if failed = r.try(); failed == nil {
			return more, nil, nil
		}
	}
	return 0, failed, nil
}
