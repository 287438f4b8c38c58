// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"sync/atomic"
)

// judge is the matcher's judgement, with the agent itself always excluded.
func (d *Discovery) judge(p *process) judgement {
	if d.opts.Self != 0 && p.pid == d.opts.Self {
		return excluded()
	}
	return d.matcher.judge(p)
}

// forkedFrom returns the record of the process that p was forked from without
// an exec since, an empty one if that is not known. Callers hold mu.
func (d *Discovery) forkedFrom(p *process) *record {
	parent := d.procs[p.stat.ppid]
	if parent == nil || !parent.forked(p) {
		return &record{rule: noRule, rules: d.matcher}
	}
	if parent.rules == d.matcher {
		return parent
	}
	before := *parent // not reviewed yet: its masks are of other rules
	before.own = Verdict{State: parent.own.State}
	return &before
}

// consider judges a process that has no entry and settles it if it needs one. It
// returns what it looked at, nil if the process has ended. Callers hold mu.
func (d *Discovery) consider(tgid uint32) *process {
	p, err := d.fs.open(tgid)
	if err != nil {
		return nil
	}
	d.stats.Judged++
	l := newListeners(d.matcher.ports)
	if d.distrusts() {
		d.settle(tgid, l) // also if there is nothing that it needs an entry for
		return p
	}
	j := d.judge(p)
	if j.State == StateCandidate && !d.matcher.needsEntry(j.Verdict) {
		j = d.matcher.listen(j, l.ports(p))
	}
	if d.matcher.needsEntry(j.Verdict) {
		d.settle(tgid, l)
	} else if len(d.known) > 0 { // not its entry, which it may have by a port since
		if err := d.kernel.Unrecall(tgid); err != nil {
			d.stats.KernelErrors++
		}
	}
	return p
}

// settle brings the kernel's entry of a process in step with its judgement,
// safe against an exec at any moment: see the package documentation. The entry
// is of this program instance, so it is what to start from. It returns the
// record, nil if the process needs none. Callers hold mu.
func (d *Discovery) settle(tgid uint32, l *listeners) *record {
	entry, err := d.kernel.WatchProcess(tgid)
	if !d.applied(tgid, err) {
		return nil
	}
	if d.distrusts() {
		entry = Verdict{}
	}
	p, err := d.fs.open(tgid)
	if err != nil {
		d.drop(tgid)
		return nil
	}
	if l.heard != nil && (entry.State < l.least || p.stat.stack != l.stack) {
		l = newListeners(d.matcher.ports) // it has executed another program since
	}
	if old := d.procs[tgid]; old != nil && !old.is(p) {
		d.forget(tgid)
	}
	j := d.judge(p)
	parent := d.forkedFrom(p)
	own := j.join(parent.own)
	j.Verdict = own
	if !entry.provisional() {
		j.Verdict = own.join(entry)
	}
	if j.needsPorts() {
		if entry, err = d.await(tgid, entry, j.Verdict); !d.applied(tgid, err) {
			return nil
		}
		j = d.matcher.listen(j, l.ports(p))
	}
	if !d.matcher.needsEntry(j.Verdict) {
		d.drop(tgid)
		return nil
	}
	rec := record{verdict: j.Verdict, own: own, rule: j.rule, rules: d.matcher}
	return d.commit(p, entry, rec, parent)
}

// await lets the kernel react to a listen while the listening ports are being
// read: what listened before is found by reading, what listens later is seen
// by the kernel. What is traced already stays so. It returns the new entry.
func (d *Discovery) await(tgid uint32, entry, want Verdict) (Verdict, error) {
	want.State = StateCandidate
	if entry.State == StateSelected || entry == want || !d.matcher.needsEntry(want) {
		return entry, nil
	}
	return want, d.kernel.SetProcess(tgid, want)
}

// commit writes a verdict where it differs from the entry, and records it.
func (d *Discovery) commit(p *process, entry Verdict, rec record, parent *record) *record {
	old := d.procs[p.pid]
	if old == nil && len(d.procs) >= d.opts.MaxProcesses {
		d.stats.LimitHit++
		d.drop(p.pid)
		return nil
	}
	if entry != rec.verdict && !d.applied(p.pid, d.kernel.SetProcess(p.pid, rec.verdict)) {
		return nil
	}
	if !d.confirm(p, &rec) {
		return nil
	}
	rec.setAt = d.now()
	rec.start, rec.program, rec.pod = p.stat.start, programOf(p), podOf(p)
	rec.target = d.target(p, &rec, old, parent)
	d.procs[p.pid] = &rec
	d.selectCgroup(p, rec.verdict)
	return &rec
}

// confirm looks again whether a process that was just selected listens on a
// port that excludes it: it may have begun to before the write.
func (d *Discovery) confirm(p *process, rec *record) bool {
	if rec.verdict.State != StateSelected || rec.verdict.Exclude == 0 || !d.matcher.portsExclude() {
		return true
	}
	j := d.matcher.listen(judgement{rec.verdict, rec.rule}, newListeners(d.matcher.ports).ports(p))
	if j.State != StateExcluded {
		return true
	}
	rec.verdict, rec.rule = j.Verdict, noRule
	return d.applied(p.pid, d.kernel.SetProcess(p.pid, rec.verdict))
}

// podOf returns the UID of the pod that p is in, "" if it is in none or nobody
// could tell of pods.
func podOf(p *process) string {
	if p.fs.pods == nil {
		return ""
	}
	if cg, err := p.cgroup(); err == nil && cg.pod != nil {
		return cg.pod.uid
	}
	return ""
}

// target returns the target of a record: the one it had, that of the process
// it was forked from, or a new one.
func (d *Discovery) target(p *process, rec, old, parent *record) *Target {
	if rec.verdict.State != StateSelected {
		return nil
	}
	for _, known := range []*record{old, parent} {
		if known != nil && known.target != nil && !known.target.Revoked() {
			rec.rule = d.sameRule(known)
			return known.target
		}
	}
	if rec.rule == noRule {
		rec.rule = d.matcher.byBits(rec.verdict.Include)
	}
	return d.newTarget(p, rec.rule, new(atomic.Bool))
}

// newTarget describes a selected process anew.
func (d *Discovery) newTarget(p *process, rule int, revoked *atomic.Bool) *Target {
	var src Rule
	if rule != noRule {
		src = d.matcher.include[rule].src
	}
	res, service, err := d.resources.build(p, src.Name)
	if err != nil {
		d.stats.Environment++
		d.opts.Log.Debug("environment of a selected process is not usable", "pid", p.pid, "error", err)
	}
	return &Target{Rule: src.Name, RuleIndex: rule, Service: service, Resource: res, Routes: src.Routes, pod: podOf(p), revoked: revoked}
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
