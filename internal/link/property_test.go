// SPDX-License-Identifier: Apache-2.0

package link

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestNothingStays: whatever happens, every finished span leaves, once, and
// nothing of it is kept.
func TestNothingStays(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(t)
		random := rand.New(rand.NewPCG(seed, 1))
		w.l.cfg.MaxHeld = 1 + random.IntN(20)
		var open []*Node
		names := 0
		for range 400 {
			w.ktime += uint64(random.IntN(30))
			f := Facts{
				TGID: uint32(1 + random.IntN(3)), TID: uint32(1 + random.IntN(4)), Program: Program(random.IntN(3)),
				Task: uint64(random.IntN(4)), ParentTask: uint64(random.IntN(4)), Local: random.IntN(2) == 0,
				Key: TCPKey(uint32(random.IntN(6)), 0), Exports: random.IntN(200) == 0, First: true, Conn: uint64(1 + random.IntN(9)),
			}
			if random.IntN(4) == 0 {
				f.Context = contextOf(byte(1+random.IntN(3)), byte(1+random.IntN(3)))
			}
			switch k := random.IntN(10); {
			case k < 3:
				open = append(open, w.request(f))
			case k < 5:
				open = append(open, w.call(f))
			case k < 6:
				w.l.Opened(f.Program, f.Conn, f.TGID, f.TID, w.ktime)
			case k < 7:
				w.l.Tick(w.ktime)
			case len(open) == 0:
			default:
				i := random.IntN(len(open))
				n := open[i]
				if k == 7 && n.server {
					w.l.Answered(n, f.TID, f.Task, w.ktime)
					continue
				}
				open = slices.Delete(open, i, i+1)
				if random.IntN(5) == 0 {
					w.l.Abandon(n)
					continue
				}
				names++
				w.end(n, fmt.Sprint(names))
			}
		}
		for _, n := range open {
			w.l.Abandon(n)
		}
		w.l.Flush()
		if left := len(w.emitted) + len(w.skipped); left != names || w.l.held != 0 {
			t.Fatalf("seed %d: %d of %d spans left, %d are held", seed, left, names, w.l.held)
		}
		if n := len(w.l.clients) + len(w.l.servers) + len(w.l.lists); n != 0 {
			t.Fatalf("seed %d: %d entries left behind", seed, n)
		}
		for _, p := range w.l.procs {
			_, callers := p.callers.peek()
			if p.open != 0 || len(p.pending) != 0 || p.first != nil || p.last != nil || callers {
				t.Fatalf("seed %d: process %d has %d open requests, %d pending calls, others: %t", seed, p.tgid, p.open, len(p.pending), callers)
			}
		}
		for name, s := range w.emitted { // a parent that left is of the same trace
			for other, p := range w.emitted {
				if s.Parent == p.SpanID && s.TraceID != p.TraceID {
					t.Fatalf("seed %d: %s and its parent %s are of two traces", seed, name, other)
				}
			}
		}
	}
}
