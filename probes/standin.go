// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/cilium/ebpf"
)

// Roles of a set of programs (enum role in bpf/include/standin.h).
const (
	roleAlone uint32 = iota
	roleFirst
	roleStandIn
)

// configureStandIns sets the roles before loading.
func configureStandIns(spec *ebpf.CollectionSpec, standIns bool) error {
	notes, interrupted := spec.Maps["notes_by_task"], spec.Maps["notes_by_interrupted"]
	role, lines := roleAlone, uint32(1)
	if standIns {
		tasks, err := taskLimit()
		if err != nil {
			return err
		}
		const noteBytes = 2 // of each task, of[] in struct note_line
		role, lines = roleFirst, noteLines(tasks, notes.ValueSize/noteBytes)
	} else {
		interrupted.MaxEntries = 1
	}
	notes.MaxEntries = lines
	return set(spec, map[string]any{"role": role, "note_mask": lines - 1, "note_shift": uint32(bits.Len32(lines - 1))})
}

// standInFromNow has the stand-ins begin, once all programs are attached: what ran
// before one of the two was there would look as if it had been skipped.
func (p *Probes) standInFromNow() error {
	if p.standIn == nil {
		return nil
	}
	if err := p.coll.Variables["standing_in"].Set(uint32(1)); err != nil {
		return fmt.Errorf("set standing_in: %w", err)
	}
	return nil
}

// inOrder returns the collections in the order in which to attach a program, so
// that its stand-in runs right behind it: a tracepoint runs first what was
// attached first (kernel/tracepoint.c, func_add), a trampoline what was attached
// last (kernel/bpf/trampoline.c, hlist_add_head). TestStandInsRunBehind shows it.
func (p *Probes) inOrder(at ebpf.AttachType) []*ebpf.Collection {
	all := p.collections()
	if at == ebpf.AttachTraceFExit {
		slices.Reverse(all)
	}
	return all
}

// shared says whether a stand-in works on the same map as the program that it
// stands in for: not what one call is worked on with, nor load-time constants.
func shared(name string) bool {
	switch name {
	case "scratch_by_slot", "look_by_slot", "fresh_conn", "conn_seq", ".rodata":
		return false
	}
	return true
}

// loadStandIns loads the programs of spec a second time, to work on the same
// maps. The probe on Go's HTTP client needs none: nothing skips it (uprobe_prog_run).
func loadStandIns(spec *ebpf.CollectionSpec, first *ebpf.Collection, o ebpf.CollectionOptions) (*ebpf.Collection, error) {
	spec = spec.Copy()
	delete(spec.Programs, "go_round_trip")
	if err := spec.Variables["role"].Set(roleStandIn); err != nil {
		return nil, fmt.Errorf("set role: %w", err)
	}
	o.MapReplacements = maps.Clone(first.Maps)
	maps.DeleteFunc(o.MapReplacements, func(name string, _ *ebpf.Map) bool { return !shared(name) })
	coll, err := ebpf.NewCollectionWithOptions(spec, o)
	if err != nil {
		return nil, fmt.Errorf("load stand-ins: %w", err)
	}
	return coll, nil
}
