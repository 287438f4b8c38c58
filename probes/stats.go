// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"
)

// stat indexes the kernel's counters (enum stat in bpf/include/stats.h; the
// order is checked against BTF by a test).
type stat uint32

const (
	statLostRecords stat = iota
	statLostBytes
	statLostRequests
	statLostControl
	statUnseenCalls
	statReadFaults
	statSegsCut
	statConns
	statConnFull
	statVerdictFull
	statProgressFull
	statCallerFull
	statUnnoted
	statStoodIn
	statStoodInEnds
	statMax
)

// Stats are the kernel's counters since Open, summed over CPUs.
type Stats struct {
	LostRecords  uint64 // data ring full
	LostBytes    uint64 // captured bytes of those
	LostRequests uint64 // request heads among those
	LostControl  uint64 // control ring full
	UnseenCalls  uint64 // calls whose payload cannot be read
	ReadFaults   uint64 // user memory was not there
	SegsCut      uint64 // calls with more buffers than are looked at
	Conns        uint64 // connections announced
	ConnFull     uint64 // no room for a connection's state
	VerdictFull  uint64 // no room for a forked child's verdict
	ProgressFull uint64
	CallerFull   uint64 // no room to note which goroutine sends a request
	Missed       uint64 // program runs that the kernel skipped, since one was under way on that CPU, and no stand-in made up for
	MissedEnds   uint64 // the same of the programs that are told of a connection's end, which is then told later
	StoodIn      uint64 // skipped runs of either kind that a stand-in made up for
}

// Stats reads the kernel's counters.
func (p *Probes) Stats() (Stats, error) {
	var v [statMax]uint64
	for i := range v {
		var perCPU []uint64
		if err := p.coll.Maps["stats"].Lookup(uint32(i), &perCPU); err != nil {
			return Stats{}, fmt.Errorf("read kernel counter %d: %w", i, err)
		}
		for _, n := range perCPU {
			v[i] += n
		}
	}
	s := Stats{
		LostRecords: v[statLostRecords], LostBytes: v[statLostBytes], LostRequests: v[statLostRequests], LostControl: v[statLostControl],
		UnseenCalls: v[statUnseenCalls], ReadFaults: v[statReadFaults], SegsCut: v[statSegsCut],
		Conns: v[statConns], ConnFull: v[statConnFull], VerdictFull: v[statVerdictFull], ProgressFull: v[statProgressFull], CallerFull: v[statCallerFull],
	}
	s.StoodIn = v[statStoodIn] + v[statStoodInEnds]
	runs, ends := p.skipped()
	s.Missed = raise(&p.missed, runs+v[statUnnoted], v[statStoodIn])
	s.MissedEnds = raise(&p.missedEnds, ends, v[statStoodInEnds])
	return s, nil
}

// skipped returns how many runs of the programs the kernel skipped, those that
// tell of a connection's end apart: packets interrupt them with the ends of other
// connections. Nobody listens or connects in an interrupt. A run of a stand-in
// that is skipped does no harm, unless that of its program was, too.
func (p *Probes) skipped() (runs, ends uint64) {
	for name, prog := range p.coll.Programs {
		if name == "sock_destroy" || name == "sock_state" {
			ends += missed(prog)
			continue
		}
		runs += missed(prog)
	}
	return runs, ends
}

// raise raises counter to what was skipped and not made up for. The two are not
// read at once, and a counter never falls.
func raise(counter *atomic.Uint64, skipped, madeUp uint64) uint64 {
	for {
		old := counter.Load()
		if skipped < madeUp || skipped-madeUp <= old {
			return old
		}
		if counter.CompareAndSwap(old, skipped-madeUp) {
			return skipped - madeUp
		}
	}
}

// missed returns how often the kernel skipped a program; 0 where it does not tell (before 5.12).
func missed(prog *ebpf.Program) uint64 {
	st, err := prog.Stats()
	if err != nil {
		return 0
	}
	return st.RecursionMisses
}
