// SPDX-License-Identifier: Apache-2.0

package link

// process is what is known of a process's requests and calls.
type process struct {
	tgid  uint32
	calls bool   // it has called out: its open requests are indexed
	used  uint64 // ktime of the last request or call

	first *Node // open requests
	open  int

	background uint64 // ktime of the last call while no request was open
	sdk        bool   // it makes spans itself
	loops      map[uint32]bool
	pending    []*Node // calls that may yet be linked by who answers

	read   map[uint32]*Node // NginxProgram: thread -> the request it has just read, with nothing in between
	opened map[uint64]*Node // NginxProgram: connection -> the request for which it was opened
}

const (
	// maxProcesses bounds the processes that are remembered; the table is swept when it is full.
	maxProcesses = 16384
	// maxLoops bounds the threads of a process that are known to serve several requests at a time.
	maxLoops = 1024
	// maxPending bounds the calls of a process that wait for who answers.
	maxPending = 256
	// calm is how long after a background call the only open request is no evidence, nanoseconds.
	calm = 60e9
)

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
	}
	p.first = n
	p.open++
}

func (p *process) pop(n *Node) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		p.first = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	n.prev, n.next = nil, nil
	p.open--
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
	if len(p.loops) >= maxLoops {
		return
	}
	if p.loops == nil {
		p.loops = map[uint32]bool{}
	}
	p.loops[tid] = true
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
