// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"encoding/binary"

	"github.com/tracer-agent/tracer-agent/internal/event"
)

type progressKey struct {
	Conn uint64
	Dir  uint64
}

// Progress is how far a direction got after its records ran out.
type Progress struct {
	Pos   uint64  // bytes moved since the connection was first seen
	Ktime uint64  // when Pos last moved
	Tail  [8]byte // last bytes of the last call
}

// Progress looks up a direction that has gone quiet; ok is false if it never
// moved since, or its entry was displaced.
func (p *Probes) Progress(conn uint64, dir event.Dir) (pr Progress, ok bool) {
	var w event.WireProgress
	if err := p.coll.Maps["progress_by_conn"].Lookup(progressKey{conn, uint64(dir)}, &w); err != nil {
		return Progress{}, false
	}
	pr = Progress{Pos: w.Pos, Ktime: w.Ktime}
	binary.LittleEndian.PutUint64(pr.Tail[:], w.Tail)
	return pr, true
}

// ForgetProgress frees the entry of a direction whose message has ended.
func (p *Probes) ForgetProgress(conn uint64, dir event.Dir) {
	// A missing entry is what is wanted.
	_ = p.coll.Maps["progress_by_conn"].Delete(progressKey{conn, uint64(dir)})
}
