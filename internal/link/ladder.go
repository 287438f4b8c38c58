// SPDX-License-Identifier: Apache-2.0

package link

import (
	"encoding/binary"
)

func contextKey(tgid uint32, n *Node) listKey {
	t := binary.BigEndian.Uint64(n.trace[:8]) ^ binary.BigEndian.Uint64(n.trace[8:])
	return listKey{list: byContext, tgid: tgid, a: t, b: binary.BigEndian.Uint64(n.remote[:])}
}

// sameContext says that a call carries what a request came with.
func sameContext(c, s *Node) bool {
	return s.context && c.trace == s.trace && c.hasRemote == s.hasRemote && c.remote == s.remote
}

// findParent links a call to the request that it serves, if that can be told.
func (l *Linker) findParent(n *Node, f *Facts) {
	p := n.proc
	defer func() { l.spent(p, f) }()
	l.turned(p, f.TID)
	p.called(f, l.lists[listKey{list: byTask, tgid: p.tgid, a: f.ParentTask}] != nil)
	if p.own.all >= trial && p.trials != nil {
		l.tryEnds(p)
	}
	if p.open == 0 {
		return
	}
	if p.self && f.Key == (Key{}) { // pipelined: which request is its own other end is not known
		l.stats.Unlinked++
		return
	}
	if n.context {
		l.findPassed(n, f)
		return
	}
	s, e, many := l.climb(n, f)
	if s != nil {
		l.link(n, s, e, f.Ktime)
		return
	}
	if many {
		l.stats.Ambiguous++
	} else {
		l.stats.Unlinked++
	}
	if f.Program == OtherProgram && !l.awaitTask(n, f.Ktime) {
		l.await(n, f.Ktime)
	}
}

// spent notes that the thread did something since it read.
func (l *Linker) spent(p *process, f *Facts) {
	if f.Program == NginxProgram {
		p.justRead(f.TID, nil)
		delete(p.opened, f.Conn)
	}
}

// findPassed: a call that carries the context of a request being served passes
// it through, untouched; another context was made by an SDK in the process.
func (l *Linker) findPassed(n *Node, f *Facts) {
	p := n.proc
	var found *Node
	same := 0
	for s := l.lists[contextKey(p.tgid, n)]; s != nil; s = s.hooks[byContext].next {
		if sameContext(n, s) {
			found = s
			same++
		}
	}
	if same == 0 {
		return
	}
	n.passed = true
	if same > 1 { // the caller sent several with one context
		s, _, _ := l.climb(n, f)
		if s == nil || !sameContext(n, s) {
			l.stats.Ambiguous++
			return
		}
		found = s
	}
	l.adopt(n, found, Header)
}

// climb takes the first rung that fits exactly one open request. Without one,
// ambiguous says that some rung fits several.
func (l *Linker) climb(n *Node, f *Facts) (s *Node, e Evidence, ambiguous bool) {
	p := n.proc
	if n.request != 0 {
		if s, many := l.only(listKey{list: byRequest, tgid: p.tgid, a: n.request}); s != nil {
			return s, RequestID, false
		} else if many {
			ambiguous = true
		}
	}
	if f.Program == NginxProgram {
		// Without its sequence a record was lost, or the call is no request passed on at once.
		s := l.inSequence(p, f)
		return s, Sequence, ambiguous || p.open > 1
	}
	s, e, many := l.byOwner(p, f)
	if s != nil {
		return s, e, false
	}
	ambiguous = ambiguous || many
	if p.open > 1 {
		p.crowded = f.Ktime
	} else if !p.own.bad() && !p.justCrowded(f.Ktime) {
		return p.first, OnlyRequest, false
	}
	if p.untold > 0 {
		return nil, None, true
	}
	s, many = l.only(listKey{list: byTarget, tgid: p.tgid, a: n.target})
	return s, Proxy, ambiguous || many
}

// inSequence finds the request that a single-threaded proxy read right before
// it opened the connection or, on an open one, right before it calls.
func (l *Linker) inSequence(p *process, f *Facts) *Node {
	if s := p.opened[f.Conn]; s != nil && f.First {
		return s
	}
	return p.read[f.TID]
}

// byOwner finds the request that the calling goroutine, the one that started
// it, or the calling thread has read.
func (l *Linker) byOwner(p *process, f *Facts) (s *Node, e Evidence, many bool) {
	if f.Program != GoProgram {
		if p.thread(f.TID).bad() || p.loops[f.TID] && p.justCrowded(f.Ktime) {
			return nil, None, false
		}
		s, many = l.only(listKey{list: byThread, tgid: p.tgid, a: uint64(f.TID)})
		return s, Thread, many
	}
	if f.Task != 0 {
		if s, many = l.only(listKey{list: byTask, tgid: p.tgid, a: f.Task}); s != nil {
			return s, Goroutine, false
		}
	}
	if f.ParentTask == 0 || p.detached.bad() {
		return nil, None, many
	}
	s, more := l.only(listKey{list: byTask, tgid: p.tgid, a: f.ParentTask})
	return s, Goroutine, many || more
}
