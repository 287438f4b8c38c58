// SPDX-License-Identifier: Apache-2.0

package link

// What a process's first calls rest on is believed only once some more of its
// calls are known: one that also calls out on its own does so in between.

// trial is how many calls of a process are looked at.
const trial = 20

// tried returns the habit that speaks against a kind of evidence, nil if none does.
func (p *process) tried(e Evidence, tid uint32) *habit {
	switch e {
	case Thread:
		return p.thread(tid)
	case OnlyRequest:
		return &p.own
	}
	return nil
}

// link makes a call the child of the request that evidence names, at once or,
// if the process's habits are not known yet, when they are.
func (l *Linker) link(n, s *Node, e Evidence, ktime uint64) {
	p := n.proc
	if p.tried(e, n.tid) == nil || p.own.all >= trial {
		l.adopt(n, s, e)
		return
	}
	n.maybe, n.maybeBy = s, e
	s.refs++
	n.settled = false
	n.refs++
	p.trials = append(p.trials, n)
	l.wait(forHabit, n, ktime)
}

// tryEnds decides a process's first calls.
func (l *Linker) tryEnds(p *process) {
	for _, c := range p.trials {
		l.settle(c)
		l.release(c)
	}
	p.trials = nil
}

// verdict decides a call on trial.
func (l *Linker) verdict(c *Node) {
	s := c.maybe
	c.maybe = nil
	c.settled = true
	if c.proc.tried(c.maybeBy, c.tid).bad() || s.root() == c {
		l.flush(c)
	} else {
		l.adopt(c, s, c.maybeBy)
	}
	l.release(s)
}
