// SPDX-License-Identifier: Apache-2.0

package link

import (
	"hash/maphash"

	"github.com/tracer-agent/tracer-agent/export"
)

// Linker joins the spans of all traced processes of this host. One goroutine uses it.
type Linker struct {
	cfg   Config
	seed  maphash.Seed
	procs map[uint32]*process
	lists map[listKey]*Node
	// Exchanges by what both their ends know, while the other end may still show up.
	clients  map[Key]*Node
	servers  map[Key]*Node
	lastProc *process
	waits    [numWaits]queue
	held     int
	swept    uint64 // ktime
	free     []*Node
	stats    Stats
}

// New returns an empty Linker.
func New(cfg Config) *Linker {
	return &Linker{
		cfg: cfg, seed: maphash.MakeSeed(),
		procs: map[uint32]*process{}, lists: map[listKey]*Node{},
		clients: map[Key]*Node{}, servers: map[Key]*Node{},
	}
}

// Stats returns the counts so far.
func (l *Linker) Stats() Stats {
	s := l.stats
	s.Held, s.Processes = l.held, len(l.procs)
	return s
}

// Start takes the beginning of an exchange and finds its parent as far as is
// known. The caller ends it with Finish or Abandon, once.
func (l *Linker) Start(f *Facts) *Node {
	n := l.newNode()
	n.id = l.cfg.NewIDs.SpanID()
	n.server, n.open, n.start, n.skipped = f.Server, true, f.Ktime, f.Hidden
	n.key, n.conn, n.tid, n.task = f.Key, f.Conn, f.TID, f.Task
	n.waiter = f.ParentTask
	if f.Context.RequestID != "" {
		n.request = maphash.String(l.seed, f.Context.RequestID) | 1
	}
	n.follow(f.Context)
	n.proc = l.process(f.TGID, f.Ktime)
	if !f.Server || f.Local || n.proc.calls { // else nobody will ask
		n.target = l.hash(f)
	}
	if f.Server {
		l.startServer(n, f)
	} else {
		l.startClient(n, f)
	}
	return n
}

// hash tells requests apart by what a proxy leaves as it is.
func (l *Linker) hash(f *Facts) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	_, _ = h.Write(f.Method) // none of these fails (hash.Hash)
	_ = h.WriteByte(' ')
	_, _ = h.Write(f.Target)
	_ = h.WriteByte(' ')
	_, _ = h.WriteString(f.Agent)
	return h.Sum64()
}

func (l *Linker) startServer(n *Node, f *Facts) {
	p := n.proc
	if p.calls {
		if f.Program != GoProgram && l.lists[listKey{list: byThread, tgid: p.tgid, a: uint64(f.TID)}] != nil {
			p.loop(f.TID)
		}
		l.index(n)
	}
	p.push(n)
	l.turned(p, f.TID)
	if f.Program == NginxProgram {
		p.justRead(f.TID, n)
	}
	n.settled = n.context || !f.Local
	if !f.Local {
		return
	}
	if !n.settled {
		l.wait(forOtherEnd, n, f.Ktime)
	}
	if f.Key == (Key{}) {
		return
	}
	if c := l.clients[f.Key]; c != nil {
		l.join(c, n)
		return
	}
	l.servers[f.Key] = n
}

func (l *Linker) startClient(n *Node, f *Facts) {
	p := n.proc
	l.callsOut(p)
	n.exports = f.Exports
	p.sdk = p.sdk || f.Exports
	n.settled = true
	own := l.aside(l.servers[f.Key], p)
	l.findParent(n, f)
	l.putBack(own)
	if f.Key == (Key{}) {
		return
	}
	l.clients[f.Key] = n
	if s := l.servers[f.Key]; s != nil { // looked up again: meanwhile it may have been settled, and be gone
		l.join(n, s)
	}
}

// aside takes s, if it is an open request of p, and what else came on its connection
// out of what p's calls can be for, until putBack. A process that calls itself may be
// heard to read a request before it is heard to send it: what fits that call best is
// then its own other end. s may be nil.
func (l *Linker) aside(s *Node, p *process) (own []*Node) {
	if s == nil || s.proc != p || !s.open {
		return nil
	}
	for n := p.last; n != nil; n = n.prev {
		if n.conn == s.conn {
			own = append(own, n)
		}
	}
	for _, n := range own {
		l.drop(n)
		p.pop(n)
	}
	return own
}

// putBack makes requests open ones of their process again, the oldest first.
func (l *Linker) putBack(own []*Node) {
	for _, n := range own {
		n.proc.push(n)
		l.index(n)
	}
}

// join makes a call the parent of the request that it is at the other end.
func (l *Linker) join(c, s *Node) {
	delete(l.servers, s.key)
	c.proc.self = c.proc.self || c.proc == s.proc
	switch {
	case c.target != s.target:
		l.stats.Mismatch++
	case s.parent != nil || c.root() == s:
	case s.context && !(c.passed && c.trace == s.trace): // its parent is whom the header names
	case s.settled && !s.context || s.span == nil && !s.open:
		l.stats.Late++
	default:
		l.adopt(s, c, Connection)
	}
}

// Opened says that a thread of a process begins to connect.
func (l *Linker) Opened(program Program, conn uint64, tgid, tid uint32, ktime uint64) {
	if program != NginxProgram {
		return
	}
	p := l.process(tgid, ktime)
	if n := p.read[tid]; n != nil {
		p.openedFor(conn, n)
		p.justRead(tid, nil)
	}
}

// Moved says that a thread of a single-threaded proxy moved bytes: of the
// request n, which it read, or, if n is nil, others.
func (l *Linker) Moved(tgid, tid uint32, n *Node) {
	if p := l.procs[tgid]; p != nil {
		if n != nil && !n.open {
			n = nil
		}
		p.justRead(tid, n)
	}
}

// Exports says that a process was seen to send spans of its own, other than by a call that was told to Start.
func (l *Linker) Exports(tgid uint32, ktime uint64) { l.process(tgid, ktime).sdk = true }

// close takes n out of everything that finds open exchanges.
func (l *Linker) close(n *Node) {
	n.open = false
	if !n.server {
		if l.clients[n.key] == n {
			delete(l.clients, n.key)
		}
		return
	}
	l.drop(n)
	if n.settled {
		l.forget(n)
	}
	p := n.proc
	p.pop(n)
	l.settleCallers(p)
	if n.task != 0 && p.calls {
		p.serves(n.task)
	}
	if p.read != nil || p.opened != nil {
		p.over(n)
	}
	if p.open == 0 {
		l.settlePending(p)
	}
}

// forget says that the other end of n is not waited for any more.
func (l *Linker) forget(n *Node) {
	if n.server && l.servers[n.key] == n {
		delete(l.servers, n.key)
	}
}

// Finish takes the finished span of an exchange. It goes on when its trace is known.
func (l *Linker) Finish(n *Node, s *export.Span) {
	l.close(n)
	n.span = s
	r := n.root()
	if r.settled {
		l.emit(n)
		return
	}
	r.waiting = append(r.waiting, n)
	l.held++
	for l.held > l.cfg.MaxHeld && l.force() {
	}
}

// Abandon ends an exchange of which there will be no span.
func (l *Linker) Abandon(n *Node) {
	l.close(n)
	n.skipped = true
	l.release(n)
}
