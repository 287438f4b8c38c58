// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"fmt"

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
	Missed       uint64 // program runs that the kernel skipped: one was interrupted by its like on the same CPU
	MissedEnds   uint64 // the same of the programs that are told of a connection's end, which is then told later
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
	for name, prog := range p.coll.Programs {
		// Packets interrupt them with the ends of other connections. Nobody listens or connects in an interrupt.
		if name == "sock_destroy" || name == "sock_state" {
			s.MissedEnds += missed(prog)
			continue
		}
		s.Missed += missed(prog)
	}
	return s, nil
}

// missed returns how often the kernel skipped a program; 0 where it does not tell (before 5.12).
func missed(prog *ebpf.Program) uint64 {
	st, err := prog.Stats()
	if err != nil {
		return 0
	}
	return st.RecursionMisses
}
