// SPDX-License-Identifier: Apache-2.0

package link

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// Node is the place of one span in its trace, from its request's head until
// nobody refers to it any more.
type Node struct {
	span *export.Span // once finished

	id       trace.SpanID
	parent   *Node // on this host
	evidence Evidence

	// What the request's headers said, if context.
	context   bool
	hasRemote bool
	passed    bool // they were those of parent's request, untouched
	remote    trace.SpanID
	state     string
	flags     trace.TraceFlags
	decision  tracecontext.Decision
	links     []export.Link

	// Of a root: the trace's. A root without context gets its id with the first span that leaves.
	trace    trace.TraceID
	resolved bool
	keep     bool
	settled  bool     // nothing will make it a child any more
	waiting  []*Node  // finished spans of its trace, until it is settled
	maybe    *Node    // of a call on trial: its parent, if the process's habits do not speak against it ...
	maybeBy  Evidence // ... and why
	answers  []*Node  // of a call that may yet be linked: what its thread or task has answered since
	byTask   bool     // ... its task

	server  bool
	open    bool // its exchange goes on
	skipped bool // no span of it will be seen
	exports bool // it carries spans of the process
	start   uint64
	key     Key
	conn    uint64 // the agent's name of the connection
	tid     uint32
	task    uint64 // goroutine or asyncio task
	waiter  uint64 // of a call: the task that waits for task
	request uint64 // hash of its correlation id, 0 if it has none
	target  uint64 // hash of method, target and user agent; 0: not needed so far
	proc    *process
	prev    *Node // in proc's list of open requests
	next    *Node
	hooks   [numLists]hook
	refs    int // exchange, children, places where it waits
}

// root returns the first span of n's trace on this host, as far as is known.
func (n *Node) root() *Node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

// silent says that there is no span of n: it was given up, or the process's own
// SDK makes one. An SDK is silent of calls without a context of its own.
func (l *Linker) silent(n *Node) bool {
	if n.skipped || l.cfg.TraceAll || !n.proc.sdk {
		return n.skipped
	}
	return n.server || n.exports || n.context && !n.passed
}

// follow takes what the headers say.
func (n *Node) follow(r *tracecontext.Result) {
	n.decision = r.Decision
	for _, l := range r.Links {
		n.links = append(n.links, export.Link{TraceID: l.TraceID, SpanID: l.SpanID, TraceState: l.TraceState})
	}
	if r.Parent.Format == tracecontext.FormatNone {
		return
	}
	n.context = true
	n.trace = r.Parent.TraceID
	n.state = r.Parent.TraceState
	n.flags = trace.TraceFlags(r.Parent.Flags) & trace.FlagsRandom
	n.hasRemote, n.remote = r.Parent.HasSpan, r.Parent.SpanID
}

// newNode returns a Node with one reference, the exchange's.
func (l *Linker) newNode() *Node {
	if k := len(l.free); k > 0 {
		n := l.free[k-1]
		l.free = l.free[:k-1]
		*n = Node{waiting: n.waiting[:0], answers: n.answers[:0], refs: 1}
		return n
	}
	return &Node{refs: 1}
}

// maxFree bounds the nodes kept for reuse.
const maxFree = 4096

// release gives up a reference.
func (l *Linker) release(n *Node) {
	for n != nil {
		if n.refs--; n.refs > 0 {
			return
		}
		parent := n.parent
		if n.maybe != nil {
			l.release(n.maybe)
			n.maybe = nil
		}
		for _, s := range n.answers { // it left no span
			l.release(s)
		}
		clear(n.waiting)
		clear(n.answers[:cap(n.answers)])
		n.answers = n.answers[:0]
		if len(l.free) < maxFree && cap(n.waiting) <= 64 {
			l.free = append(l.free, n)
		}
		n = parent
	}
}

// adopt makes parent the parent of root n and hands over what waits for n's trace.
func (l *Linker) adopt(n, parent *Node, e Evidence) {
	n.parent, n.evidence = parent, e
	parent.refs++
	l.stats.Links[e]++
	r := parent.root()
	if r.settled {
		l.flush(n)
		return
	}
	r.waiting = append(r.waiting, n.waiting...)
	clear(n.waiting)
	n.waiting = n.waiting[:0]
}
