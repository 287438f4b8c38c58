// SPDX-License-Identifier: Apache-2.0

package discovery

import "slices"

// Exec is the news that a process executed a program.
type Exec struct {
	TGID    uint32
	Program uint64 // the kernel's name of the executable's path; 0: it has none
	Stack   uint64 // where the program's stack starts: tells program instances apart
}

// maxPrograms is how many programs the kernel has room for; it forgets those
// that were not executed for longest.
const maxPrograms = 2048

// knownProgram is a program whose verdict depends on nothing but its path. The
// kernel has it too, so that the program is covered from its first instruction.
type knownProgram struct {
	rule    int    // that selects it, or noRule: it is a candidate
	include uint64 // of a candidate: what it may listen on to be selected
	exe     string // "" if nobody knows
}

// ofProgram returns what of a judgement every process has that runs the program:
// nothing, unless paths alone decide; byPath holds. An exclusion by a port must not come late,
// so where one is possible nothing holds before the process was looked at.
func (m *Matcher) ofProgram(j judgement) judgement {
	none := judgement{rule: noRule}
	if j.Exclude != 0 || j.State != StateSelected && j.State != StateCandidate {
		return none
	}
	j.Include &= m.pathInclude
	switch {
	case j.State == StateSelected && j.rule != noRule && m.include[j.rule].path:
		return j
	case j.Include != 0:
		return judgement{Verdict: Verdict{State: StateCandidate, Include: j.Include}, rule: noRule}
	default:
		return none
	}
}

// learn tells the kernel what it may take for granted the next time that e's
// program is executed. p is the process, which was just considered; nil: it has
// ended. Callers hold mu.
func (d *Discovery) learn(e Exec, p *process) {
	if e.Program == 0 || !d.matcher.byPath {
		return
	}
	if p == nil || p.stat.stack == 0 { // its memory is gone before it is
		d.recallEnded(e)
		return
	}
	if p.stat.stack != e.Stack {
		return // it runs another program by now
	}
	j := d.matcher.ofProgram(d.judge(p))
	exe, err := p.exe()
	again, gone := d.fs.open(e.TGID)
	if gone != nil || again.stat.stack == 0 {
		d.recallEnded(e)
		return
	}
	if err != nil || again.stat.stack != e.Stack {
		return // perhaps another program's path was read
	}
	if !d.matcher.needsEntry(j.Verdict) {
		if _, ok := d.known[e.Program]; ok { // something was renamed or mounted in a way that its name does not tell
			d.forgetPrograms()
		}
		return
	}
	if err := d.kernel.SetProgram(e.Program, j.Verdict); err != nil {
		d.stats.KernelErrors++
		return
	}
	if len(d.known) >= maxPrograms {
		clear(d.known) // each is learnt again when it is executed
	}
	d.known[e.Program] = knownProgram{rule: j.rule, include: j.Include, exe: exe}
}

// forgetPrograms takes back what the kernel takes for granted. Callers hold mu.
func (d *Discovery) forgetPrograms() {
	if err := d.kernel.ClearPrograms(); err != nil {
		d.stats.KernelErrors++
		d.opts.Log.Warn("known programs were not removed", "error", err)
	}
	clear(d.known)
}

// recallEnded describes a process that executed a known program and ended before
// it could be looked at: the kernel selected it at once, or may have when it listened.
func (d *Discovery) recallEnded(e Exec) {
	known, ok := d.known[e.Program]
	switch {
	case !ok:
	case known.rule != noRule:
		d.exited.add(e.TGID, d.unseen(e.TGID, known.rule, known.exe))
	default:
		if len(d.unjudged) >= d.opts.KeepExited {
			clear(d.unjudged) // the news of their ends was lost
		}
		d.unjudged[e.TGID] = known
	}
}

// presumed is what the kernel knew of a process that listens. Callers hold mu.
func (d *Discovery) presumed(tgid uint32) knownProgram {
	if rec := d.procs[tgid]; rec != nil {
		return knownProgram{include: rec.own.Include, exe: rec.program.exe}
	}
	if known, ok := d.unjudged[tgid]; ok {
		return known
	}
	return knownProgram{include: d.matcher.autoInclude}
}

// reapRecalled removes what the kernel took for granted of processes whose exec
// nobody told of: what is still so at the next pass. Callers hold passing.
func (d *Discovery) reapRecalled() {
	recalled := d.kernel.Recalled()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, tgid := range recalled {
		if slices.Contains(d.recalled, tgid) && d.procs[tgid] == nil {
			d.drop(tgid)
		}
	}
	d.recalled = recalled
}
