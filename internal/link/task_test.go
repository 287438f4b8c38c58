// SPDX-License-Identifier: Apache-2.0

package link

import (
	"fmt"
	"testing"
)

// loop is a process with an event loop: requests are read by no task.
type loop struct{ *world }

func newLoop(t *testing.T) loop { return loop{newWorld(t)} }

func (w loop) reads() *Node { return w.request(Facts{TGID: 1, TID: 1}) }

// calls makes a call of a task, which another may wait for.
func (w loop) calls(task, waiter uint64, name string) {
	w.end(w.call(Facts{TGID: 1, TID: 1, Task: task, ParentTask: waiter}), name)
}

// answers lets a task begin to write the response to n, which then ends.
func (w loop) answers(n *Node, task uint64, name string) {
	w.ktime++
	w.l.Answered(n, 1, task, w.ktime)
	w.end(n, name)
}

// TestTask: who answers says for which request its calls were.
func TestTask(t *testing.T) {
	w := newLoop(t)
	a, b, c := w.reads(), w.reads(), w.reads()
	w.calls(12, 0, "of b")
	w.calls(11, 99, "of a")
	w.calls(21, 13, "gathered by c")
	w.calls(0, 13, "of a task with a name of its own")
	w.calls(31, 32, "of nobody")
	w.answers(b, 12, "b")
	w.answers(a, 11, "a")
	if len(w.emitted) > 2 {
		t.Errorf("calls left before it was known that nobody else answers: %v", w.emitted)
	}
	w.answers(c, 13, "c")
	w.child("of a", "a", Task)
	w.child("of b", "b", Task)
	w.child("gathered by c", "c", Task)
	w.child("of a task with a name of its own", "c", Task)
	w.root("of nobody")
}

// TestTaskOfLater: a task answers a request that arrived after its call. The
// call was for something else.
func TestTaskOfLater(t *testing.T) {
	w := newLoop(t)
	a, b := w.reads(), w.reads()
	w.calls(12, 0, "call")
	later := w.reads()
	w.answers(later, 12, "later")
	w.answers(a, 11, "a")
	w.answers(b, 0, "b")
	w.root("call")
}

// TestUntold: what came before the process's first call may have the same target, too.
func TestUntold(t *testing.T) {
	w := newLoop(t)
	a, b := w.reads(), w.reads()
	w.calls(0, 0, "first")
	c := w.reads()
	w.calls(0, 0, "second")
	w.answers(a, 0, "a")
	w.answers(b, 0, "b")
	w.answers(c, 0, "c")
	w.root("second")
}

// TestTaskOfMany: a task that serves a connection's requests one after the other
// may still be busy with the one that it has answered.
func TestTaskOfMany(t *testing.T) {
	w := newLoop(t)
	a, other := w.reads(), w.reads()
	w.calls(11, 0, "first")
	w.answers(a, 11, "a")
	b := w.reads()
	w.calls(11, 0, "behind the answer")
	w.calls(12, 11, "of one that it waits for")
	w.answers(b, 11, "b")
	w.answers(other, 13, "other")
	w.child("first", "a", Task)
	w.root("behind the answer")
	w.root("of one that it waits for")
}

// TestTaskBatch: a call of a task that answers several requests served all of them.
func TestTaskBatch(t *testing.T) {
	w := newLoop(t)
	a, b := w.reads(), w.reads()
	w.calls(5, 0, "call")
	w.answers(a, 5, "a")
	w.answers(b, 5, "b")
	w.l.Flush()
	w.root("call")
	if s := w.emitted["call"]; s != nil && (len(s.Links) != 2 || s.Links[0].SpanID != w.emitted["a"].SpanID || s.Links[1].SpanID != w.emitted["b"].SpanID) {
		t.Errorf("links %v, want both requests", s.Links)
	}
}

// TestTaskWaitsNoLonger than for the requests that it may have been for.
func TestTaskWaitsNoLonger(t *testing.T) {
	w := newLoop(t)
	a, b := w.reads(), w.reads()
	w.calls(5, 0, "call")
	w.reads() // stays open
	w.answers(b, 7, "b")
	if w.emitted["call"] != nil {
		t.Error("a was not answered, and the call left")
	}
	w.answers(a, 6, "a")
	w.root("call")
}

// TestTaskTimeout: a request that is open for long does not keep calls forever.
func TestTaskTimeout(t *testing.T) {
	w := newLoop(t)
	a := w.reads()
	w.reads()
	w.calls(5, 0, "call")
	w.ktime += answerHold * hold
	w.l.Tick(w.ktime)
	w.root("call")
	w.answers(a, 5, "a") // too late
	if w.l.Stats().Links[Task] != 0 {
		t.Error("a call was linked after it had left")
	}
}

// TestTasksBounded: what is remembered of tasks has a limit.
func TestTasksBounded(t *testing.T) {
	w := newLoop(t)
	w.l.cfg.MaxHeld = 1 << 20
	w.reads()
	w.reads()
	for i := range uint64(maxCallers + 10) {
		w.calls(i+1, 0, fmt.Sprint(i))
	}
	if n := len(w.emitted); n != 10 {
		t.Errorf("%d of %d calls left, want the oldest 10", n, maxCallers+10)
	}
	w.root("9")
	var g generations
	for i := range uint64(3 * maxAnswered) {
		g.add(i + 1)
	}
	if n := len(g.young) + len(g.old); n > 2*maxAnswered || !g.has(3*maxAnswered) || g.has(1) {
		t.Errorf("%d tasks are remembered, the first %t, the last %t", n, g.has(1), g.has(3*maxAnswered))
	}
}
