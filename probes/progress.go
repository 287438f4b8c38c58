// SPDX-License-Identifier: Apache-2.0

package probes

import "github.com/tracer-agent/tracer-agent/internal/event"

type progressKey struct {
	Conn uint64
	Dir  uint64
}

// Progress looks up how far a direction got after its records ran out: bytes
// since the connection was first seen, and when they last moved. ok is false if
// it never moved since, or its entry was displaced.
func (p *Probes) Progress(conn uint64, dir event.Dir) (pos, ktime uint64, ok bool) {
	var w event.WireProgress
	if err := p.coll.Maps["progress_by_conn"].Lookup(progressKey{conn, uint64(dir)}, &w); err != nil {
		return 0, 0, false
	}
	return w.Pos, w.Ktime, true
}

// ForgetProgress frees the entry of a direction whose message has ended.
func (p *Probes) ForgetProgress(conn uint64, dir event.Dir) {
	// A missing entry is what is wanted.
	_ = p.coll.Maps["progress_by_conn"].Delete(progressKey{conn, uint64(dir)})
}

// Reannounce has every connection announced again before what it says next. If
// that fails slices of unknown connections keep coming, which are counted.
func (p *Probes) Reannounce() {
	v := p.coll.Variables["announce_epoch"]
	var epoch uint32
	if v.Get(&epoch) == nil {
		_ = v.Set(epoch + 1)
	}
}
