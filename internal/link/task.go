// SPDX-License-Identifier: Apache-2.0

package link

// The requests of an event loop share a thread, and arrive in none of their
// tasks. But who serves a request writes its answer: the call of a task, or of
// one that it waits for, was made for the request that the task goes on to
// answer. Tasks have numbers that are never used again, so that nothing else
// can be meant. A task that has answered before may still be busy with that:
// its calls are not linked that way.

const (
	// maxCallers bounds the calls of a process that wait for which task answers.
	maxCallers = 4096
	// maxAnswered bounds the tasks that are remembered to have answered, twice.
	maxAnswered = 4096
)

// generations is a set of tasks that forgets the oldest half when it is full.
type generations struct{ young, old map[uint64]bool }

func (g *generations) add(task uint64) {
	if g.young == nil || len(g.young) >= maxAnswered {
		g.young, g.old = map[uint64]bool{}, g.young
	}
	g.young[task] = true
}

func (g *generations) has(task uint64) bool { return g.young[task] || g.old[task] }

// awaitTask keeps a call whose task, or the one that waits for it, may yet tell
// for which request it was. It returns false if none can.
func (l *Linker) awaitTask(n *Node, now uint64) bool {
	p := n.proc
	n.byTask = l.addCaller(n, byCaller, n.task)
	n.byTask = l.addCaller(n, byWaiter, n.waiter) || n.byTask
	if !n.byTask {
		return false
	}
	for len(p.callers.waiting)-p.callers.head >= maxCallers {
		l.settleCaller(p)
	}
	n.settled = false
	n.refs++
	p.callers.push(waiting{n, n.start})
	l.wait(forAnswer, n, now)
	return true
}

// addCaller makes a call findable by a task that has not answered so far.
func (l *Linker) addCaller(n *Node, by list, task uint64) bool {
	if task == 0 || n.proc.answered.has(task) {
		return false
	}
	l.add(n, listKey{list: by, tgid: n.proc.tgid, a: task})
	return true
}

// answeredBy says that a task answers a request: the calls that it made, or
// waited for, since the request arrived were for it.
func (l *Linker) answeredBy(n *Node, task, ktime uint64) {
	p := n.proc
	if !p.calls {
		return
	}
	for by := byCaller; by <= byWaiter; by++ {
		for c := l.lists[listKey{list: by, tgid: p.tgid, a: task}]; c != nil; c = c.hooks[by].next {
			l.mayServe(c, n, ktime)
		}
	}
	p.answered.add(task)
}

// settleCallers decides the calls that were made before any of the open requests
// arrived: nothing more will tell for which they were.
func (l *Linker) settleCallers(p *process) {
	for {
		c, ok := p.callers.peek()
		if !ok || !c.n.settled && p.last != nil && c.until >= p.last.start {
			return
		}
		l.settleCaller(p)
	}
}

// settleCaller decides the oldest call that waits for which task answers.
func (l *Linker) settleCaller(p *process) {
	c, ok := p.callers.peek()
	if !ok {
		return
	}
	p.callers.pop()
	l.drop(c.n)
	l.decide(c.n)
	l.release(c.n)
}
