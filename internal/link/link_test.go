// SPDX-License-Identifier: Apache-2.0

package link

import (
	"fmt"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
	"go.opentelemetry.io/otel/trace"
)

// TestRungs takes each rung of the ladder, and what must make it give way.
func TestRungs(t *testing.T) {
	id := func(s string) *tracecontext.Result { return &tracecontext.Result{RequestID: s} }
	tests := []struct {
		name string
		open []Facts // requests of process 1, open when it calls
		call Facts
		want int // index of the parent, -1: none
		by   Evidence
	}{
		{"request id", []Facts{{TID: 1, Context: id("a")}, {TID: 2, Context: id("b")}}, Facts{TID: 9, Context: id("b")}, 1, RequestID},
		{"request id of two", []Facts{{TID: 1, Context: id("a")}, {TID: 2, Context: id("a")}}, Facts{TID: 9, Context: id("a")}, -1, None},
		{"thread", []Facts{{TID: 1}, {TID: 2}}, Facts{TID: 2}, 1, Thread},
		{"thread with two", []Facts{{TID: 1}, {TID: 1}}, Facts{TID: 1}, -1, None},
		{"other thread", []Facts{{TID: 1}, {TID: 2}}, Facts{TID: 3}, -1, None},
		{"only request", []Facts{{TID: 1}}, Facts{TID: 3}, 0, OnlyRequest},
		{"goroutine", []Facts{{TID: 1, Task: 5, Program: GoProgram}, {TID: 2, Task: 6, Program: GoProgram}},
			Facts{TID: 1, Task: 6, Program: GoProgram}, 1, Goroutine},
		{"goroutine of a goroutine", []Facts{{TID: 1, Task: 5, Program: GoProgram}, {TID: 2, Task: 6, Program: GoProgram}},
			Facts{TID: 1, Task: 9, ParentTask: 5, Program: GoProgram}, 0, Goroutine},
		{"threads of a Go program say nothing", []Facts{{TID: 1, Task: 5, Program: GoProgram}, {TID: 2, Task: 6, Program: GoProgram}},
			Facts{TID: 1, Program: GoProgram}, -1, None},
		{"same target", []Facts{{TID: 1, Method: []byte("GET"), Target: []byte("/a")}, {TID: 2, Method: []byte("GET"), Target: []byte("/b")}},
			Facts{TID: 9, Method: []byte("GET"), Target: []byte("/b")}, 1, Proxy},
		{"same target, other method", []Facts{{TID: 1, Method: []byte("GET"), Target: []byte("/a")}, {TID: 2, Method: []byte("PUT"), Target: []byte("/b")}},
			Facts{TID: 9, Method: []byte("GET"), Target: []byte("/b")}, -1, None},
		{"nothing open", nil, Facts{TID: 1}, -1, None},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.l.callsOut(w.l.process(1, 1)) // it has called before
			var open []*Node
			for _, f := range tt.open {
				f.TGID = 1
				open = append(open, w.request(f))
			}
			tt.call.TGID = 1
			w.end(w.call(tt.call), "call")
			for i, n := range open {
				w.end(n, string(rune('0'+i)))
			}
			w.l.Flush()
			if tt.want < 0 {
				w.root("call")
				return
			}
			w.child("call", string(rune('0'+tt.want)), tt.by)
		})
	}
}

// TestOtherProcess: requests of other processes are no candidates.
func TestOtherProcess(t *testing.T) {
	w := newWorld(t)
	s := w.request(Facts{TGID: 1, TID: 7})
	w.end(w.call(Facts{TGID: 2, TID: 7}), "call")
	w.end(s, "request")
	w.l.Flush()
	w.root("call")
}

// TestAnswered: a request that has been answered owns no call.
func TestAnswered(t *testing.T) {
	w := newWorld(t)
	w.end(w.request(Facts{TGID: 1, TID: 7}), "request")
	w.end(w.call(Facts{TGID: 1, TID: 7}), "call")
	w.l.Flush()
	w.root("call")
}

// TestAnswer: the call is linked when the thread that made it answers.
func TestAnswer(t *testing.T) {
	w := newWorld(t)
	a, b := w.request(Facts{TGID: 1, TID: 1}), w.request(Facts{TGID: 1, TID: 1})
	c := w.call(Facts{TGID: 1, TID: 2})
	w.end(c, "call")
	if len(w.emitted) != 0 {
		t.Fatal("the call did not wait")
	}
	w.l.Answered(a, 3, 0, w.ktime)
	w.l.Answered(b, 2, 0, w.ktime)
	w.end(b, "b")
	w.end(a, "a")
	w.child("call", "b", Answer)
}

// TestBothEnds joins the ends of a connection, whichever is reported first.
func TestBothEnds(t *testing.T) {
	key := TCPKey(100, 200)
	for _, serverFirst := range []bool{false, true} {
		w := newWorld(t)
		var c, s *Node
		if serverFirst {
			s = w.request(Facts{TGID: 2, Key: key, Local: true})
			w.end(s, "server")
			c = w.call(Facts{TGID: 1, Key: key})
		} else {
			c = w.call(Facts{TGID: 1, Key: key})
			s = w.request(Facts{TGID: 2, Key: key, Local: true})
			w.end(s, "server")
		}
		w.end(c, "client")
		w.child("server", "client", Connection)
		w.root("client")
		if n := len(w.l.clients) + len(w.l.servers) + len(w.l.lists); n != 0 {
			t.Errorf("%d entries left behind", n)
		}
	}
}

// TestCallsItself: a process's call is no child of the request that it causes in the
// same process, though that may be told first and fits in every way.
func TestCallsItself(t *testing.T) {
	for _, context := range []bool{false, true} {
		for _, nested := range []bool{false, true} {
			t.Run(fmt.Sprintf("context %t, nested %t", context, nested), func(t *testing.T) {
				w := newWorld(t)
				w.l.callsOut(w.l.process(1, 1))
				f := Facts{TGID: 1, TID: 1, Key: TCPKey(7, 8), Local: true}
				if context {
					f.Context = contextOf(1, 1)
				}
				var outer *Node
				if nested {
					outer = w.request(Facts{TGID: 1, TID: 1, Key: TCPKey(1, 2), Context: f.Context})
				}
				request := w.request(f)
				call := w.call(f)
				w.end(request, "request")
				w.end(call, "call")
				if nested {
					w.end(outer, "outer")
				}
				w.l.Flush()
				switch {
				case nested && context:
					w.child("call", "outer", Header)
				case nested:
					w.child("call", "outer", Thread)
				case context:
					if s := w.emitted["call"]; s.Parent != f.Context.Parent.SpanID || !s.Remote {
						t.Errorf("the call's parent is %v, want whom the header names", s.Parent)
					}
				default:
					w.root("call")
				}
				if !context || nested {
					w.child("request", "call", Connection)
				}
			})
		}
	}
}

// TestCallsItselfPipelined: of requests that follow others at once both ends do not
// know the same of, so that any open one may be a call's own.
func TestCallsItselfPipelined(t *testing.T) {
	w := newWorld(t)
	w.l.callsOut(w.l.process(1, 1))
	first := Facts{TGID: 1, TID: 1, Conn: 1, Key: TCPKey(7, 8), Local: true, Method: []byte("GET"), Target: []byte("/1")}
	second := Facts{TGID: 1, TID: 1, Conn: 1, Local: true, Method: []byte("GET"), Target: []byte("/2")}
	nodes := []*Node{w.request(first), w.request(second)}
	first.Conn, second.Conn = 2, 2
	nodes = append(nodes, w.call(first), w.call(second))
	for i, name := range []string{"request 1", "request 2", "call 1", "call 2"} {
		w.end(nodes[i], name)
	}
	w.l.Flush()
	w.root("call 1")
	w.root("call 2")
	w.child("request 1", "call 1", Connection)
}

// TestEndsThatDiffer: the same numbers, another request: no link.
func TestEndsThatDiffer(t *testing.T) {
	w := newWorld(t)
	key := TCPKey(1, 2)
	c := w.call(Facts{TGID: 1, Key: key, Method: []byte("GET"), Target: []byte("/a")})
	s := w.request(Facts{TGID: 2, Key: key, Local: true, Method: []byte("GET"), Target: []byte("/b")})
	w.end(s, "server")
	w.end(c, "client")
	w.l.Flush()
	w.root("server")
	if w.l.Stats().Mismatch != 1 {
		t.Errorf("%+v", w.l.Stats())
	}
}

// TestHold: a request waits for its other end, not for ever, and its trace
// does not change once a span of it has left.
func TestHold(t *testing.T) {
	w := newWorld(t)
	key := TCPKey(1, 2)
	s := w.request(Facts{TGID: 2, Key: key, Local: true})
	w.end(s, "server")
	w.l.Tick(w.ktime + hold/2)
	if len(w.emitted) != 0 || !w.l.Waiting() {
		t.Fatal("it did not wait")
	}
	w.l.Tick(w.ktime + 2*hold)
	w.root("server")
	w.end(w.call(Facts{TGID: 1, Key: key}), "client")
	w.root("client")
}

// TestLateParent: a request still open when it was settled keeps its trace.
func TestLateParent(t *testing.T) {
	w := newWorld(t)
	key := TCPKey(1, 2)
	s := w.request(Facts{TGID: 2, TID: 5, Key: key, Local: true})
	w.l.Tick(w.ktime + 2*hold)
	w.end(w.call(Facts{TGID: 2, TID: 5}), "inner")
	c := w.call(Facts{TGID: 1, Key: key})
	w.end(s, "server")
	w.end(c, "client")
	w.l.Flush()
	w.child("inner", "server", Thread)
	w.root("server")
	if w.l.Stats().Late != 1 {
		t.Errorf("%+v", w.l.Stats())
	}
}

// TestPassedThrough is the truth table of contexts in headers.
func TestPassedThrough(t *testing.T) {
	w := newWorld(t)
	key := TCPKey(1, 2)
	s := w.request(Facts{TGID: 1, TID: 1, Context: contextOf(7, 8)})
	other := w.request(Facts{TGID: 1, TID: 2, Context: contextOf(7, 9)})
	passed := w.call(Facts{TGID: 1, TID: 5, Context: contextOf(7, 8), Key: key})
	made := w.call(Facts{TGID: 1, TID: 1, Context: contextOf(7, 77)})
	callee := w.request(Facts{TGID: 2, Context: contextOf(7, 8), Key: key, Local: true})
	for name, n := range map[string]*Node{"s": s, "other": other, "passed": passed, "made": made, "callee": callee} {
		w.end(n, name)
	}
	w.l.Flush()
	w.child("passed", "s", Header)
	w.child("callee", "passed", Connection)
	for name, parent := range map[string]byte{"s": 8, "other": 9, "made": 77} {
		if got := w.emitted[name]; got.Parent != (trace.SpanID{parent}) || !got.Remote || got.TraceID != (trace.TraceID{7}) {
			t.Errorf("%s: parent %v remote %v trace %v", name, got.Parent, got.Remote, got.TraceID)
		}
	}
}

// TestSharedContext: two requests came with one context; the thread decides.
func TestSharedContext(t *testing.T) {
	w := newWorld(t)
	a := w.request(Facts{TGID: 1, TID: 1, Context: contextOf(7, 8)})
	b := w.request(Facts{TGID: 1, TID: 2, Context: contextOf(7, 8)})
	w.end(w.call(Facts{TGID: 1, TID: 2, Context: contextOf(7, 8)}), "by b")
	w.end(w.call(Facts{TGID: 1, TID: 3, Context: contextOf(7, 8)}), "by one of them")
	w.end(a, "a")
	w.end(b, "b")
	w.child("by b", "b", Header)
	if got := w.emitted["by one of them"]; got.Parent != (trace.SpanID{8}) || !got.Remote {
		t.Errorf("parent %v, want the header's", got.Parent)
	}
}

// TestAbandoned: a span that will not be seen is nobody's parent.
func TestAbandoned(t *testing.T) {
	w := newWorld(t)
	outer := w.request(Facts{TGID: 1, TID: 1, Context: contextOf(3, 4)})
	c := w.call(Facts{TGID: 1, TID: 1})
	w.l.Abandon(outer)
	w.end(c, "call")
	w.l.Flush()
	if got := w.emitted["call"]; got.Parent != (trace.SpanID{4}) || !got.Remote || got.TraceID != (trace.TraceID{3}) {
		t.Errorf("parent %v of trace %v, want the header's", got.Parent, got.TraceID)
	}
}

// TestUnsampled: a trace is kept or not as a whole.
func TestUnsampled(t *testing.T) {
	w := newWorld(t)
	s := w.request(Facts{TGID: 1, TID: 1, Context: &tracecontext.Result{Decision: tracecontext.Drop}})
	w.end(w.call(Facts{TGID: 1, TID: 1}), "call")
	w.end(s, "request")
	w.l.Flush()
	if len(w.emitted) != 0 || len(w.skipped) != 2 {
		t.Errorf("left: %v, skipped: %v", w.emitted, w.skipped)
	}
}

// TestHabits: who calls without need is not believed to call for a request.
func TestHabits(t *testing.T) {
	w := newWorld(t)
	mine := Facts{TGID: 1, TID: 1, Agent: "mine"}
	w.end(w.call(mine), "background")
	s := w.request(Facts{TGID: 1, TID: 1})
	w.end(w.call(mine), "call")
	w.end(s, "request")
	w.l.Flush()
	w.root("call")

	w = newWorld(t)
	serve := Facts{TGID: 1, TID: 1, Task: 5, Program: GoProgram}
	left := Facts{TGID: 1, TID: 2, Task: 6, ParentTask: 5, Program: GoProgram, Agent: "mine"}
	w.l.callsOut(w.l.process(1, 1))
	w.end(w.request(serve), "first")
	w.end(w.call(left), "detached")
	s = w.request(serve)
	w.end(w.call(left), "detached too")
	w.end(s, "second")
	w.root("detached too")
}

// TestSequence: a proxy's connection belongs to the request that its thread read last.
func TestSequence(t *testing.T) {
	w := newWorld(t)
	f := Facts{TGID: 1, TID: 1, Program: NginxProgram}
	a := w.request(f)
	w.l.Opened(NginxProgram, 50, 1, 1, w.ktime)
	b := w.request(f)
	w.l.Opened(NginxProgram, 51, 1, 1, w.ktime)
	w.l.Opened(NginxProgram, 52, 1, 1, w.ktime) // for nobody: the thread has not read since
	for conn, name := range map[uint64]string{50: "for a", 51: "for b", 52: "for nobody"} {
		g := f
		g.Conn, g.First = conn, true
		w.end(w.call(g), name)
	}
	w.l.Moved(1, 1, a)
	w.end(w.call(f), "on an open connection")
	w.end(a, "a")
	w.end(b, "b")
	w.child("for a", "a", Sequence)
	w.child("for b", "b", Sequence)
	w.child("on an open connection", "a", Sequence)
	w.root("for nobody")
}

// TestInstrumented: of a process that sends spans itself only the calls are
// traced of which its SDK says nothing, below the span that the SDK continues.
func TestInstrumented(t *testing.T) {
	for _, all := range []bool{false, true} {
		w := newWorld(t)
		w.l.cfg.TraceAll = all
		w.end(w.call(Facts{TGID: 1, TID: 9, Exports: true}), "export")
		s := w.request(Facts{TGID: 1, TID: 1, Context: contextOf(7, 8)})
		w.end(w.call(Facts{TGID: 1, TID: 1, Context: contextOf(7, 20)}), "traced by the SDK")
		w.end(w.call(Facts{TGID: 1, TID: 1}), "call")
		w.end(s, "request")
		w.l.Flush()
		if all {
			w.child("call", "request", Thread)
			continue
		}
		if got := w.emitted["call"]; len(w.emitted) != 1 || got == nil || got.Parent != (trace.SpanID{8}) || got.TraceID != (trace.TraceID{7}) {
			t.Errorf("left: %+v", w.emitted)
		}
		for _, name := range []string{"export", "traced by the SDK", "request"} {
			if why, ok := w.skipped[name]; !ok || why != Instrumented {
				t.Errorf("%s: skipped %v by %v", name, ok, why)
			}
		}
	}
}

// TestBatch: a call whose thread answers several requests has links to them all.
func TestBatch(t *testing.T) {
	for _, next := range []string{"call", "request", "time"} {
		w := newWorld(t)
		a, b := w.request(Facts{TGID: 1, TID: 1}), w.request(Facts{TGID: 1, TID: 1})
		w.end(w.call(Facts{TGID: 1, TID: 2}), "batch")
		w.l.Answered(a, 2, 0, w.ktime)
		w.l.Answered(b, 2, 0, w.ktime)
		c := w.request(Facts{TGID: 1, TID: 1})
		switch next {
		case "call":
			w.end(w.call(Facts{TGID: 1, TID: 2}), "next")
		case "request":
			w.end(w.request(Facts{TGID: 1, TID: 2}), "next")
		case "time":
			w.l.Tick(w.ktime + 2*hold)
		}
		w.root("batch")
		w.end(a, "a")
		w.end(b, "b")
		w.end(c, "c")
		got := w.emitted["batch"]
		if got == nil || len(got.Links) != 2 || got.Links[0].SpanID != w.emitted["a"].SpanID || got.Links[0].TraceID != w.emitted["a"].TraceID ||
			got.Links[1].SpanID != w.emitted["b"].SpanID {
			t.Errorf("%s: %+v", next, got)
		}
	}
}

// TestTrial: the first calls wait for the habits of their process, which may
// speak against what they seem to be for; later ones do not wait.
func TestTrial(t *testing.T) {
	mine := Facts{TGID: 1, TID: 1, Agent: "mine"}
	w := newWorld(t)
	s := w.request(Facts{TGID: 1, TID: 1})
	w.end(w.call(mine), "in between")
	w.end(s, "request")
	if len(w.emitted) != 1 {
		t.Fatalf("it did not wait: %v", w.emitted)
	}
	for i := range trial {
		w.end(w.call(mine), fmt.Sprint("own ", i))
	}
	w.root("in between")

	w = newWorld(t)
	for i := range trial + 1 {
		s := w.request(Facts{TGID: 1, TID: 1})
		w.end(w.call(mine), fmt.Sprint("call ", i))
		w.end(s, fmt.Sprint("request ", i))
	}
	for i := range trial + 1 {
		w.child(fmt.Sprint("call ", i), fmt.Sprint("request ", i), Thread)
	}
}

// TestOnlyRequestAfterACrowd: a call for one of several requests may come when that
// one is answered and another is the only one open.
func TestOnlyRequestAfterACrowd(t *testing.T) {
	w := newWorld(t)
	away := Facts{TGID: 1, TID: 9, Conn: 900, Method: []byte("GET"), Target: []byte("/away")}
	one := func(name string) (call string) {
		s := w.request(Facts{TGID: 1, TID: 1, Conn: 100})
		w.end(w.call(away), "call of "+name)
		w.end(s, name)
		return "call of " + name
	}
	for i := range trial { // there is nothing odd about its calls
		one(string(rune('a' + i)))
	}
	a, b := w.request(Facts{TGID: 1, TID: 1, Conn: 100}), w.request(Facts{TGID: 1, TID: 2, Conn: 101})
	w.end(w.call(away), "crowd")
	w.end(a, "first")
	w.end(b, "second")
	soon := one("soon")
	w.ktime += crowdMemory
	later := one("later")
	w.l.Flush()
	w.child("call of a", "a", OnlyRequest)
	w.root("crowd")
	w.root(soon)
	w.child(later, "later", OnlyRequest)
}

// TestLoopAfterACrowd: the same of the thread of an event loop, which has read all of
// the requests.
func TestLoopAfterACrowd(t *testing.T) {
	w := newWorld(t)
	call := Facts{TGID: 1, TID: 1, Conn: 900, Method: []byte("GET"), Target: []byte("/away")}
	for i := range trial {
		name := string(rune('a' + i))
		s := w.request(Facts{TGID: 1, TID: 1, Conn: 100})
		w.end(w.call(call), "call of "+name)
		w.end(s, name)
	}
	a, b := w.request(Facts{TGID: 1, TID: 1, Conn: 100}), w.request(Facts{TGID: 1, TID: 1, Conn: 101})
	w.end(w.call(call), "crowd")
	w.end(a, "first")
	w.end(w.call(call), "left")
	w.end(b, "second")
	w.l.Flush()
	w.child("call of a", "a", Thread)
	w.root("crowd")
	w.root("left")
}
