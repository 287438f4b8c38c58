// SPDX-License-Identifier: Apache-2.0

package link

// process is what is known of a process's requests and calls.
type process struct {
	tgid  uint32
	calls bool   // it has called out: its open requests are indexed
	used  uint64 // ktime of the last request or call

	first  *Node // open requests, the newest
	last   *Node // ... and the oldest
	open   int
	untold int // of them, those whose target is not known: they came before it called

	crowded uint64 // when a call was last made of which nothing told the request while several were open

	own      habit             // calls while no request was open
	detached habit             // calls of goroutines started by one that serves, but not now
	threads  map[uint32]*habit // as own, of threads that have called
	served   map[uint64]bool   // goroutines that have served requests
	sdk      bool              // it was seen to send spans of its own
	self     bool              // it was seen to call itself
	loops    map[uint32]bool   // threads that have several requests open at a time
	pending  []*Node           // calls that may yet be linked by who answers
	trials   []*Node           // calls on trial
	callers  queue             // calls that may yet be linked by which task answers
	answered generations       // asyncio tasks that have answered

	read   map[uint32]*Node // NginxProgram: thread -> the request it has just read, with nothing in between
	opened map[uint64]*Node // NginxProgram: connection -> the request for which it was opened
}

const (
	// maxProcesses bounds the processes that are remembered; the table is swept when it is full.
	maxProcesses = 16384
	// maxThreads bounds the threads, and maxServed the goroutines, that are remembered of a process.
	maxThreads = 1024
	maxServed  = 8192
	// maxPending bounds the calls of a process that wait for who answers.
	maxPending = 256
)

// habit counts how often something is done that speaks against a kind of
// evidence: a thread that calls out while there is nothing to answer may do so
// while there is, too.
type habit struct{ odd, all uint32 }

func (h *habit) note(odd bool) {
	if h.all >= 4096 {
		h.odd, h.all = h.odd/2, h.all/2
	}
	h.all++
	if odd {
		h.odd++
	}
}

// bad says that it is done more often than a lost record now and then explains.
func (h *habit) bad() bool { return h.odd*50 > h.all }

func (l *Linker) process(tgid uint32, now uint64) *process {
	if p := l.lastProc; p != nil && p.tgid == tgid {
		p.used = now
		return p
	}
	p := l.procs[tgid]
	if p == nil {
		if len(l.procs) >= maxProcesses {
			l.sweep(0)
		}
		p = &process{tgid: tgid}
		l.procs[tgid] = p
	}
	p.used = now
	l.lastProc = p
	return p
}

// forget is how long a process without open requests is remembered, nanoseconds.
const forget = 120e9

// sweep forgets processes that have no open request and were not used after before.
func (l *Linker) sweep(before uint64) {
	for tgid, p := range l.procs {
		if p.open == 0 && len(p.pending) == 0 && (before == 0 || p.used < before) {
			l.tryEnds(p)
			p.clearSequence()
			delete(l.procs, tgid)
		}
	}
	l.lastProc = nil
}

func (p *process) push(n *Node) {
	n.next = p.first
	if p.first != nil {
		p.first.prev = n
	} else {
		p.last = n
	}
	p.first = n
	p.open++
	if n.target == 0 {
		p.untold++
	}
}

func (p *process) pop(n *Node) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		p.first = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		p.last = n.prev
	}
	n.prev, n.next = nil, nil
	p.open--
	if n.target == 0 {
		p.untold--
	}
}

// callsOut notes that p calls others. From then on its requests are indexed.
func (l *Linker) callsOut(p *process) {
	if p.calls {
		return
	}
	p.calls = true
	for n := p.first; n != nil; n = n.next {
		l.index(n)
	}
}

// loop notes that a thread serves several requests at a time.
func (p *process) loop(tid uint32) {
	if len(p.loops) >= maxThreads {
		return
	}
	if p.loops == nil {
		p.loops = map[uint32]bool{}
	}
	p.loops[tid] = true
}

// thread returns what is known of a thread that calls out.
func (p *process) thread(tid uint32) *habit {
	h := p.threads[tid]
	if h != nil {
		return h
	}
	if p.threads == nil || len(p.threads) >= maxThreads {
		p.threads = map[uint32]*habit{}
	}
	h = &habit{}
	p.threads[tid] = h
	return h
}

// serves notes that a goroutine has served a request.
func (p *process) serves(task uint64) {
	if p.served == nil || len(p.served) >= maxServed {
		p.served = map[uint64]bool{}
	}
	p.served[task] = true
}

// called notes the circumstances of a call, which say what is worth as evidence.
func (p *process) called(f *Facts, parentServes bool) {
	own := p.open == 0
	p.own.note(own)
	if f.Program != GoProgram {
		p.thread(f.TID).note(own)
	}
	if f.ParentTask != 0 {
		p.detached.note(!parentServes && p.served[f.ParentTask])
	}
}

// crowdMemory is how long a call may serve a request that was answered meanwhile,
// in nanoseconds.
const crowdMemory = 10e9

// justCrowded says that there were several requests a moment ago, and calls that
// could have been for any of them: the only one that is open now is then not the
// only one that a call can be for, since work may go on behind an answer.
func (p *process) justCrowded(now uint64) bool {
	return p.crowded != 0 && now-p.crowded < crowdMemory
}

// justRead notes the request that a thread of a single-threaded proxy has read
// last; nil: it did something else since.
func (p *process) justRead(tid uint32, n *Node) {
	if n == nil {
		delete(p.read, tid)
		return
	}
	if p.read == nil {
		p.read = map[uint32]*Node{}
	}
	p.read[tid] = n
}

// maxOpened bounds the connections of a process that wait for their first request.
const maxOpened = 4096

// openedFor notes for which request a connection was opened.
func (p *process) openedFor(conn uint64, n *Node) {
	if p.opened == nil {
		p.opened = map[uint64]*Node{}
	}
	if len(p.opened) < maxOpened {
		p.opened[conn] = n
	}
}

// over removes what refers to a request that is answered.
func (p *process) over(n *Node) {
	if p.read[n.tid] == n {
		delete(p.read, n.tid)
	}
	for conn, r := range p.opened {
		if r == n {
			delete(p.opened, conn)
		}
	}
}

func (p *process) clearSequence() { p.read, p.opened = nil, nil }
