// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"sync/atomic"
	"time"
)

// settling is how long after a verdict a fork event may still be of a time
// before it: more than the latency of the ring buffer.
const settling = time.Second

// OnFork takes the event that parent, which had an entry, forked child. The
// child has a copy of the entry, which selected it or not, and shares the
// parent's Target.
func (d *Discovery) OnFork(parent, child uint32, selected bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(child) // an earlier process of this id
	delete(d.unjudged, child)
	rec := d.procs[parent]
	if rec == nil || d.now().Sub(rec.setAt) < settling || len(d.procs) >= d.opts.MaxProcesses {
		// The copy may differ from the verdict that is recorded.
		if d.settle(child, d.shared(rec)) == nil && selected {
			d.exited.add(child, d.targetOf(parent)) // it may have served a request and ended by now
		}
		return
	}
	forked := *rec
	forked.start = 0
	forked.unchecked = d.matcher.mutableExclude
	d.procs[child] = &forked
}

// targetOf is the target of a process that was selected when it last did
// something, though it may have ended since.
func (d *Discovery) targetOf(tgid uint32) *Target {
	if rec := d.procs[tgid]; rec != nil {
		return rec.target
	}
	return d.exited.get(tgid)
}

// OnExec takes the event that a process executed a program. Its entry is gone;
// if the program is known the kernel has put that verdict in force.
func (d *Discovery) OnExec(e Exec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(e.TGID)
	delete(d.unjudged, e.TGID)
	d.learn(e, d.consider(e.TGID))
}

// OnExit takes the event that a process with an entry ended.
func (d *Discovery) OnExit(tgid uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(tgid)
	delete(d.unjudged, tgid)
}

// Listen is the news that a process listens on a named port.
type Listen struct {
	TGID     uint32
	Port     uint16
	Selected bool   // the kernel's verdict after it
	Stack    uint64 // as in Exec, of the program that listens
}

// OnListen takes the event that a process listens on a named port.
func (d *Discovery) OnListen(e Listen) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if rec := d.procs[e.TGID]; rec != nil && rec.verdict.State == StateExcluded {
		if e.Selected { // the kernel must have lost the entry
			d.applied(e.TGID, d.kernel.SetProcess(e.TGID, rec.verdict))
		}
		return
	}
	// What it listened on before was found when it was judged, or had an event
	// of its own: reading all listening sockets takes milliseconds, in which
	// other processes would wait for their verdict.
	known := d.presumed(e.TGID)
	if d.settle(e.TGID, d.heard(e)) == nil && e.Selected {
		d.remember(e, known)
	}
}

// remember describes a process that the kernel selected by its port and that
// ended before it could be looked at, by what is known nevertheless.
func (d *Discovery) remember(e Listen, known knownProgram) {
	if d.Runs(e.TGID) {
		return // and is not selected any more
	}
	if rule := d.matcher.byBits(d.matcher.ports[e.Port].include & known.include); rule != noRule {
		d.exited.add(e.TGID, d.unseen(e.TGID, rule, known.exe))
	}
}

// unseen describes a process that ended before it could be looked at. exe is ""
// if nobody knows what it ran.
func (d *Discovery) unseen(tgid uint32, rule int, exe string) *Target {
	src := d.matcher.include[rule].src
	res, service := d.resources.unseen(tgid, src.Name, exe)
	return &Target{Rule: src.Name, RuleIndex: rule, Service: service, Resource: res, Routes: src.Routes, revoked: new(atomic.Bool)}
}

// heard is what is known of a process that was heard to listen, if the kernel
// has selected it. Only one that was never judged may listen on a port that
// excludes it.
func (d *Discovery) heard(e Listen) *listeners {
	if d.procs[e.TGID] == nil && d.matcher.portsExclude() {
		return newListeners(d.matcher.ports)
	}
	return &listeners{heard: []uint16{e.Port}, least: StateSelected, stack: e.Stack}
}

// shared is what is known of the sockets of a process that was just forked:
// they are its parent's. What its parent listened on before the fork is in the
// entry that it has a copy of, if that was judged by then.
func (d *Discovery) shared(parent *record) *listeners {
	if parent == nil {
		return newListeners(d.matcher.ports)
	}
	return &listeners{heard: []uint16{}, least: max(StateCandidate, parent.verdict.State), stack: parent.program.stack}
}

// Lookup returns the target of a process whose connection was seen, nil if the
// process is not selected or cannot be judged any more. A process that only
// its cgroup selected is judged now. One that has exited is still known for a
// while: what it said arrives later than the news of its end.
func (d *Discovery) Lookup(tgid uint32) *Target {
	d.mu.Lock()
	defer d.mu.Unlock()
	rec := d.procs[tgid]
	if rec != nil && !rec.unchecked && rec.verdict.State >= StateSelected {
		return rec.target
	}
	d.stats.Judged++
	if rec := d.settle(tgid, newListeners(d.matcher.ports)); rec != nil {
		return rec.target
	}
	if d.Runs(tgid) {
		return nil // and is not selected
	}
	return d.exited.get(tgid)
}

// Runs tells whether a process has not ended, nor is about to: what is written of
// it to the kernel before is removed at its end. Safe for concurrent use.
func (d *Discovery) Runs(tgid uint32) bool {
	_, err := d.fs.open(tgid)
	return err == nil
}
