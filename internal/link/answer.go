// SPDX-License-Identifier: Apache-2.0

package link

import "github.com/tracer-agent/tracer-agent/export"

// A pool's thread may serve a request that another thread has read. Whom its
// call was for shows when it answers: the request that it answers next. If it
// answers several before it does anything else, the call served them all, and
// has links to them instead of a parent.

// maxAnswers bounds the requests that one call is taken to serve.
const maxAnswers = 32

// await keeps a call whose thread may yet tell for which request it was.
func (l *Linker) await(n *Node, now uint64) {
	p := n.proc
	if p.loops[n.tid] || p.thread(n.tid).bad() || len(p.pending) >= maxPending {
		return
	}
	n.settled = false
	n.refs++
	p.pending = append(p.pending, n)
	l.wait(forAnswer, n, now)
}

// Answered says that a thread, and on it an asyncio task, 0 if none is known,
// begins to write the response to a request, at ktime.
func (l *Linker) Answered(n *Node, tid uint32, task, ktime uint64) {
	p := n.proc
	if n.server && task != 0 {
		l.answeredBy(n, task, ktime)
	}
	if !n.server || len(p.pending) == 0 || n.tid == tid || p.loops[tid] {
		return
	}
	for _, c := range p.pending {
		if c.tid == tid {
			l.mayServe(c, n, ktime)
		}
	}
}

// mayServe notes that who made a call answers a request, if that was open then.
func (l *Linker) mayServe(c, n *Node, ktime uint64) {
	if c.settled || c.start < n.start || len(c.answers) >= maxAnswers {
		return
	}
	if len(c.answers) == 0 {
		l.wait(forMore, c, ktime)
	}
	n.refs++
	c.answers = append(c.answers, n)
}

// turned says that a thread does something new: it has answered all that its
// earlier calls were for.
func (l *Linker) turned(p *process, tid uint32) {
	if len(p.pending) == 0 {
		return
	}
	kept := p.pending[:0]
	for _, c := range p.pending {
		if c.tid == tid && len(c.answers) > 0 {
			l.decide(c)
		}
		if c.settled {
			l.release(c)
			continue
		}
		kept = append(kept, c)
	}
	clear(p.pending[len(kept):])
	p.pending = kept
}

// decide links a call by what its thread has answered since.
func (l *Linker) decide(c *Node) {
	if c.settled {
		return
	}
	if c.maybe != nil {
		l.verdict(c)
		return
	}
	switch {
	case c.parent != nil:
		c.settled = true
	case len(c.answers) == 1 && c.answers[0].root() != c:
		c.settled = true
		e := Answer
		if c.byTask {
			e = Task
		}
		l.adopt(c, c.answers[0], e)
	default:
		if len(c.answers) > 1 {
			l.stats.Shared++
		}
		c.settled = true
		l.flush(c)
	}
}

// settlePending: the process has answered all requests, so that nothing more
// will tell for which its calls were.
func (l *Linker) settlePending(p *process) {
	for _, c := range p.pending {
		l.decide(c)
		l.release(c)
	}
	clear(p.pending)
	p.pending = p.pending[:0]
}

// linksOf returns the requests that a call served, if there are several.
func (l *Linker) linksOf(c *Node) []export.Link {
	links := c.links
	if c.parent == nil && len(c.answers) > 1 {
		for _, s := range c.answers {
			l.settle(s.root())
			r := l.resolve(s)
			links = append(links, export.Link{TraceID: r.trace, SpanID: s.id})
		}
	}
	for _, s := range c.answers {
		l.release(s)
	}
	c.answers = c.answers[:0]
	return links
}
