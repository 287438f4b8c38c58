// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/tracer-agent/tracer-agent/internal/kube"
)

// change is a reason to judge processes again from the start, so that verdicts
// may also fall.
type change struct {
	pods    map[string]bool     // whose processes are affected; nil: all processes
	heard   *listeners          // what listens, read once
	renewed map[*Target]*Target // what became of those that processes share
}

func (d *Discovery) newChange(pods map[string]bool) *change {
	return &change{pods: pods, heard: newListeners(d.matcher.ports), renewed: map[*Target]*Target{}}
}

func (c *change) affects(pod string) bool { return c.pods == nil || c.pods[pod] }

// Refresh judges the processes of the pods that changed, by UID. What is not to
// be traced any more stops being captured first; see Target.Revoked.
func (d *Discovery) Refresh(uids []string) {
	if len(uids) == 0 {
		return
	}
	pods := make(map[string]bool, len(uids))
	for _, uid := range uids {
		pods[uid] = true
	}
	d.passing.Lock()
	defer d.passing.Unlock()
	d.change(d.newChange(pods))
}

// Apply puts other rules in force. What stays selected is traced without a
// break and keeps its Target, unless the rule now names it otherwise. If the
// kernel does not take a port back the old rules stay in force; if it does not
// take a new one the others are in force.
func (d *Discovery) Apply(m *Matcher) error {
	d.passing.Lock()
	defer d.passing.Unlock()
	old := d.matcher
	// The bits of rules with ports change their meaning. Between, the kernel
	// selects nothing that begins to listen; the pass at the end finds it.
	for port := range old.ports {
		if err := d.kernel.UnsetPort(port); err != nil {
			return errors.Join(fmt.Errorf("take back port %d: %w", port, err), d.namePorts(old))
		}
	}
	d.mu.Lock()
	d.matcher = m
	d.forgetPrograms()
	d.mu.Unlock()
	d.change(d.newChange(nil))
	err := d.namePorts(m)
	if _, passErr := d.pass(newListeners(m.ports)); err == nil {
		err = passErr
	}
	return err
}

// change brings the selection in step. A fork copies its parent's verdict, also
// while that falls, so it is gone over until nothing more falls.
func (d *Discovery) change(c *change) {
	d.pruneCgroups()
	quiet := 1
	if c.pods == nil {
		quiet = 2 // children may be reviewed before their parents
	}
	for range maxPasses {
		if d.reviewAll(c) {
			quiet = 3
		}
		d.rise(c)
		if quiet--; quiet == 0 {
			break
		}
	}
	d.revokeExited(c)
	if err := d.syncCgroups(); err != nil {
		d.opts.Log.Debug("cgroups cannot be listed", "error", err)
	}
}

// reviewAll reviews what has a verdict and tells whether some selection ended.
func (d *Discovery) reviewAll(c *change) (fell bool) {
	for _, tgid := range d.recorded() {
		fell = d.review(tgid, c) || fell
	}
	if fell || c.pods == nil {
		d.mu.Lock()
		d.fellAt = d.now()
		d.mu.Unlock()
	}
	return fell
}

// distrusts tells whether the kernel's entry of a process may be the copy of a
// verdict that fell, or of other rules. Callers hold mu.
func (d *Discovery) distrusts() bool { return d.now().Sub(d.fellAt) < settling }

// rise judges the affected processes that have no verdict.
func (d *Discovery) rise(c *change) {
	pids, err := d.fs.pids()
	if err != nil {
		d.opts.Log.Warn("processes cannot be listed", "error", err)
		return
	}
	for _, pid := range pids {
		if c.pods == nil || c.affects(podOf(&process{fs: d.fs, pid: pid})) {
			d.mu.Lock()
			if d.procs[pid] == nil {
				d.consider(pid)
			}
			d.mu.Unlock()
		}
	}
}

// review judges a process that has a verdict from the start and tells whether
// that ended its selection.
func (d *Discovery) review(tgid uint32, c *change) (fell bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.procs[tgid]
	if old == nil || !c.affects(old.pod) {
		return false
	}
	d.stats.Judged++
	// Before the judgement: an exec from now on removes the entry; see settle.
	entry, err := d.kernel.WatchProcess(tgid)
	if !d.applied(tgid, err) {
		return false
	}
	p, err := d.fs.open(tgid)
	if err != nil || !old.is(p) {
		d.drop(tgid)
		return false
	}
	parent := d.forkedFrom(p)
	rec := d.rejudge(p, old, parent, c)
	if rec == nil {
		d.fall(p, old)
		return old.verdict.State == StateSelected
	}
	if rec.verdict.State != StateSelected && old.verdict.State == StateSelected {
		d.revoke(p, old)
		fell = true
	}
	if entry != rec.verdict && !d.applied(tgid, d.kernel.SetProcess(tgid, rec.verdict)) {
		return fell
	}
	rec.setAt, rec.start, rec.program, rec.pod = d.now(), p.stat.start, programOf(p), podOf(p)
	rec.target = d.renew(p, rec, old, c)
	d.procs[tgid] = rec
	d.selectCgroup(p, rec.verdict)
	return fell
}

// rejudge returns the new record of a process, nil if it needs none. A process
// that listening had selected stays so as long as the rule is there and its
// other criteria hold, though it may not listen any more.
func (d *Discovery) rejudge(p *process, old, parent *record, c *change) *record {
	j := d.judge(p)
	own := j.Verdict
	if parent.verdict.State != StateUnknown {
		own = j.join(parent.own)
		j.Verdict = own
	}
	if j.needsPorts() {
		j = d.matcher.listen(j, c.heard.ports(p))
	}
	if rule := d.sameRule(old); j.State == StateCandidate && old.verdict.State == StateSelected && rule != noRule && d.matcher.include[rule].bit&j.Include != 0 {
		j.State, j.rule = StateSelected, rule
	}
	if !d.matcher.needsEntry(j.Verdict) {
		return nil
	}
	return &record{verdict: j.Verdict, own: own, rule: j.rule, rules: d.matcher}
}

// sameRule returns the include rule that asks for the same as the one that a
// record was selected by, noRule if there is none.
func (d *Discovery) sameRule(rec *record) int {
	if rec.rule == noRule || rec.rules == d.matcher {
		return rec.rule
	}
	was := rec.rules.include[rec.rule].src
	for i := range d.matcher.include {
		is := d.matcher.include[i].src
		is.Name, is.Routes = was.Name, was.Routes
		if reflect.DeepEqual(is, was) {
			return i
		}
	}
	return noRule
}

// renew returns the target after a review: the old one, if nothing that it says
// has changed.
func (d *Discovery) renew(p *process, rec, old *record, c *change) *Target {
	if rec.verdict.State != StateSelected {
		return nil
	}
	was := old.target
	if was == nil || was.Revoked() {
		return d.target(p, rec, nil, d.forkedFrom(p))
	}
	if rec.rule == noRule {
		rec.rule = d.matcher.byBits(rec.verdict.Include)
	}
	if is := c.renewed[was]; is != nil {
		return is
	}
	is := d.newTarget(p, rec.rule, was.revoked)
	is.Resource = sameInstance(is.Resource, was.Resource)
	if is.Rule == was.Rule && is.Resource.Equal(was.Resource) && slices.Equal(is.Routes, was.Routes) {
		is = was
	}
	c.renewed[was], c.renewed[is] = is, is
	return is
}

// sameInstance gives a resource the process and instance ids of another: they
// are of the process that was first seen with the program.
func sameInstance(is, was *resource.Resource) *resource.Resource {
	attrs := is.Attributes()
	for _, key := range []attribute.Key{semconv.ProcessPIDKey, semconv.ServiceInstanceIDKey} {
		if v, ok := was.Set().Value(key); ok {
			attrs = append(attrs, attribute.KeyValue{Key: key, Value: v})
		}
	}
	return resource.NewWithAttributes(is.SchemaURL(), attrs...)
}

// fall ends a process's verdict.
func (d *Discovery) fall(p *process, old *record) {
	d.revoke(p, old)
	d.drop(p.pid)
}

// revoke revokes the target of a process, unless its pod is not known any more:
// a pod that was deleted keeps what it had to say.
func (d *Discovery) revoke(p *process, old *record) {
	if old.target == nil {
		return
	}
	if _, known := p.pod(); known == unknown {
		return
	}
	old.target.revoked.Store(true)
}

// Remembered is what Pods may also tell: pods that were deleted not long ago.
type Remembered interface {
	// Remembered is Pod for pods that were deleted too.
	Remembered(uid string) *kube.Pod
}

// revokeExited revokes what processes that have ended said, where the rules no
// longer select anything of their pod.
func (d *Discovery) revokeExited(c *change) {
	known, ok := d.opts.Pods.(Remembered)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, kept := range d.exited.targets {
		t := kept.target
		if t.pod == "" || !c.affects(t.pod) {
			continue
		}
		if pod := known.Remembered(t.pod); pod != nil && !d.matcher.mayTrace(pod) {
			t.revoked.Store(true)
		}
	}
}
