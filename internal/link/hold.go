// SPDX-License-Identifier: Apache-2.0

package link

import (
	"go.opentelemetry.io/otel/trace"
)

// wait is what a root waits for before its trace is certain.
type wait uint8

const (
	forOtherEnd wait = iota // a request without context: the call at the other end
	forAnswer               // a call: who answers a request of its process
	forMore                 // a call whose thread has answered: whether it answers more
	forHabit                // a call on trial: what else its process does
	numWaits
)

// How many times longer than for the other end is waited for who answers, since
// requests take that long, and for habits.
const (
	answerHold = 50
	habitHold  = 10
)

// queue holds roots in the order of their deadlines.
type queue struct {
	waiting []waiting
	head    int
}

type waiting struct {
	n     *Node
	until uint64 // ktime
}

func (q *queue) push(w waiting) {
	if q.head > 64 && q.head*2 > len(q.waiting) {
		k := copy(q.waiting, q.waiting[q.head:])
		clear(q.waiting[k:])
		q.waiting, q.head = q.waiting[:k], 0
	}
	q.waiting = append(q.waiting, w)
}

func (q *queue) peek() (waiting, bool) {
	if q.head == len(q.waiting) {
		q.waiting, q.head = q.waiting[:0], 0
		return waiting{}, false
	}
	return q.waiting[q.head], true
}

func (q *queue) pop() {
	q.waiting[q.head] = waiting{}
	q.head++
}

// wait keeps n, a root that is not settled, until its time has passed.
func (l *Linker) wait(w wait, n *Node, now uint64) {
	until := now + l.cfg.Hold
	switch w {
	case forAnswer:
		until = now + answerHold*l.cfg.Hold
	case forHabit:
		until = now + habitHold*l.cfg.Hold
	}
	n.refs++
	l.waits[w].push(waiting{n, until})
}

// Tick settles what has waited long enough. now is a ktime.
func (l *Linker) Tick(now uint64) {
	for w := range l.waits {
		q := &l.waits[w]
		for {
			first, ok := q.peek()
			if !ok || first.until > now {
				break
			}
			q.pop()
			l.settle(first.n)
			l.release(first.n)
		}
	}
	if now > forget && now-l.swept > forget/2 {
		l.swept = now
		l.sweep(now - forget)
	}
}

// Waiting says whether anything waits for Tick.
func (l *Linker) Waiting() bool { return l.held > 0 }

// Flush settles everything: there will be no more news.
func (l *Linker) Flush() { l.Tick(^uint64(0)) }

// force settles the root that has waited longest. It returns false if none waits.
func (l *Linker) force() bool {
	for w := range l.waits {
		q := &l.waits[w]
		first, ok := q.peek()
		if !ok {
			continue
		}
		q.pop()
		l.stats.Forced += uint64(len(first.n.waiting))
		l.settle(first.n)
		l.release(first.n)
		return true
	}
	return false
}

// settle says that n stays the root that it is, if it is one.
func (l *Linker) settle(n *Node) {
	if n.settled {
		return
	}
	if !n.server {
		l.decide(n)
		return
	}
	n.settled = true
	if n.parent != nil {
		return
	}
	if !n.open {
		l.forget(n)
	}
	l.flush(n)
}

// flush lets go what waited for n's trace.
func (l *Linker) flush(n *Node) {
	for i := 0; i < len(n.waiting); i++ {
		l.held--
		l.emit(n.waiting[i])
	}
	clear(n.waiting)
	n.waiting = n.waiting[:0]
}

// emit gives a finished span its identity and hands it on.
func (l *Linker) emit(n *Node) {
	s := n.span
	n.span = nil
	r := l.resolve(n)
	s.TraceID, s.SpanID = r.trace, n.id
	s.TraceState = r.state
	s.Flags = r.flags | trace.FlagsSampled
	if n.context {
		s.TraceState = n.state
	}
	s.Parent, s.Remote = l.visibleParent(n)
	s.Links = append(s.Links, l.linksOf(n)...)
	switch {
	case l.silent(n):
		l.cfg.Skip(s, Instrumented)
	case !r.keep:
		l.cfg.Skip(s, Unsampled)
	default:
		l.cfg.Emit(s, n.evidence)
	}
	l.release(n)
}

// visibleParent returns the nearest ancestor of which there is or will be a span.
func (l *Linker) visibleParent(n *Node) (id trace.SpanID, remote bool) {
	for ; n.parent != nil; n = n.parent {
		if !l.silent(n.parent) {
			return n.parent.id, false
		}
	}
	return n.remote, n.hasRemote
}

// resolve fixes the identity of n's trace, and whether it is kept.
func (l *Linker) resolve(n *Node) *Node {
	r := n.root()
	if r.resolved {
		return r
	}
	r.resolved = true
	if !r.context {
		r.trace = l.cfg.NewIDs.TraceID()
		r.flags = trace.FlagsRandom
	}
	r.keep = l.cfg.Keep(r.trace, r.decision)
	return r
}

// Decided says whether n's span will be kept, if its trace is known already.
func (l *Linker) Decided(n *Node) (keep, known bool) {
	if !n.root().settled {
		return true, false
	}
	return l.resolve(n).keep, true
}
