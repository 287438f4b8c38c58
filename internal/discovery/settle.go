// SPDX-License-Identifier: Apache-2.0

package discovery

import "errors"

// judge is the matcher's judgement, with the agent itself always excluded.
func (d *Discovery) judge(p *process) judgement {
	if d.opts.Self != 0 && p.pid == d.opts.Self {
		return judgement{Verdict: Verdict{State: StateExcluded}, rule: noRule}
	}
	return d.matcher.judge(p)
}

// inherited returns what p already has: its own record, or a copy of its
// parent's if it was forked from it without an exec, or an empty record.
// Callers hold mu.
func (d *Discovery) inherited(p *process) record {
	if rec := d.procs[p.pid]; rec != nil && rec.is(p) {
		return *rec
	}
	if parent := d.procs[p.stat.ppid]; parent != nil && parent.forked(p) {
		return *parent
	}
	return record{rule: noRule}
}

// consider judges a process without a record and settles it if the kernel
// needs to know. It returns the record, nil if none. Callers hold mu.
func (d *Discovery) consider(tgid uint32) *record {
	p, err := d.fs.open(tgid)
	if err != nil {
		return nil
	}
	d.stats.Judged++
	l := newListeners(d.matcher.ports)
	j := d.judge(p)
	j.Verdict = j.join(d.inherited(p).verdict)
	if j.State == StateCandidate && !d.matcher.needsEntry(j.Verdict) {
		j = d.matcher.listen(j, l.ports(p))
	}
	if !d.matcher.needsEntry(j.Verdict) {
		return nil
	}
	return d.settle(tgid, l)
}

// settle brings the kernel's entry of a process in step with its judgement,
// safe against an exec at any moment: see the package documentation. heard are
// ports on which the kernel saw the process listen. It returns the record, nil
// if the process needs none. Callers hold mu.
func (d *Discovery) settle(tgid uint32, l *listeners, heard ...uint16) *record {
	if !d.applied(tgid, d.kernel.WatchProcess(tgid)) {
		return nil
	}
	p, err := d.fs.open(tgid)
	if err != nil {
		d.drop(tgid)
		return nil
	}
	rec := d.inherited(p)
	if own := d.procs[tgid]; own == nil || !own.is(p) {
		heard = nil // an event of a program before this one
		d.forget(tgid)
	}
	j := d.judge(p)
	j.Verdict = rec.verdict.join(j.Verdict)
	if rec.rule != noRule {
		j.rule = rec.rule
	}
	if j.needsPorts() {
		if !d.await(tgid, rec.verdict, j.Verdict) {
			return nil
		}
		j = d.matcher.listen(j, append(heard, l.ports(p)...))
	}
	if !d.matcher.needsEntry(j.Verdict) {
		d.drop(tgid)
		return nil
	}
	return d.commit(p, rec, j)
}

// await lets the kernel react to a listen while the listening ports are being
// read: what listened before is found by reading, what listens later is seen
// by the kernel. What is traced already stays so.
func (d *Discovery) await(tgid uint32, have, want Verdict) bool {
	want.State = StateCandidate
	if have.State >= StateSelected || have == want || !d.matcher.needsEntry(want) {
		return true
	}
	return d.applied(tgid, d.kernel.SetProcess(tgid, want))
}

// commit writes a verdict and records it.
func (d *Discovery) commit(p *process, rec record, j judgement) *record {
	old := d.procs[p.pid]
	if old == nil && len(d.procs) >= d.opts.MaxProcesses {
		d.stats.LimitHit++
		d.drop(p.pid)
		return nil
	}
	if old == nil || old.verdict != j.Verdict {
		if !d.applied(p.pid, d.kernel.SetProcess(p.pid, j.Verdict)) {
			return nil
		}
		rec.setAt = d.now()
	}
	if j.State == StateSelected && j.Exclude != 0 {
		// It may have begun to listen on an excluded port before the write.
		checked := d.matcher.listen(j, newListeners(d.matcher.ports).ports(p))
		if checked.State == StateExcluded {
			j = checked
			if !d.applied(p.pid, d.kernel.SetProcess(p.pid, j.Verdict)) {
				return nil
			}
		}
	}
	rec.verdict, rec.rule = j.Verdict, j.rule
	rec.start, rec.program, rec.unchecked = p.stat.start, programOf(p), false
	rec.target = d.target(p, rec)
	d.procs[p.pid] = &rec
	d.selectCgroup(p, rec.verdict)
	return &rec
}

// target returns the target for a record: the one it has or inherits, or a new one.
func (d *Discovery) target(p *process, rec record) *Target {
	if rec.verdict.State != StateSelected || rec.rule == noRule {
		return nil
	}
	if rec.target != nil {
		return rec.target
	}
	src := d.matcher.include[rec.rule].src
	res, service, err := d.resources.build(p, src.Name)
	if err != nil {
		d.stats.Environment++
		d.opts.Log.Debug("environment of a selected process is not usable", "pid", p.pid, "error", err)
	}
	return &Target{Rule: src.Name, RuleIndex: rec.rule, Service: service, Resource: res, Routes: src.Routes}
}

// applied handles the result of a write to the kernel. After a failure the
// process has no entry: not selected.
func (d *Discovery) applied(tgid uint32, err error) bool {
	if err == nil {
		return true
	}
	if errors.Is(err, ErrGone) {
		d.forget(tgid)
		return false
	}
	d.stats.KernelErrors++
	d.opts.Log.Debug("selection was not applied", "pid", tgid, "error", err)
	d.drop(tgid)
	return false
}

// drop removes the kernel's entry and the record.
func (d *Discovery) drop(tgid uint32) {
	if err := d.kernel.DeleteProcess(tgid); err != nil {
		d.stats.KernelErrors++
		d.opts.Log.Warn("selection was not removed", "pid", tgid, "error", err)
	}
	d.forget(tgid)
}

// forget removes the record and keeps its target for late spans.
func (d *Discovery) forget(tgid uint32) {
	rec := d.procs[tgid]
	if rec == nil {
		return
	}
	d.exited.add(tgid, rec.target)
	delete(d.procs, tgid)
}
