// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
)

// Roles of a set of programs (enum role in bpf/include/standin.h).
const (
	roleAlone uint32 = iota
	roleFirst
	roleStandIn
)

// taskStorage is the version that lets tracing programs keep something with a
// task (5.12, commit a10787e6d58c).
const taskStorage = 5<<16 | 12<<8

// needStandIns says whether programs have to be loaded twice, and can be.
func needStandIns() (bool, error) {
	need, err := preemptible()
	if err != nil || !need {
		return false, err
	}
	version, err := features.LinuxVersionCode()
	if err != nil {
		return false, fmt.Errorf("kernel version: %w", err)
	}
	return version >= taskStorage, nil
}

// withoutNotes puts something that every kernel has in the place of the map that
// no program uses then.
func withoutNotes(spec *ebpf.CollectionSpec) {
	m := spec.Maps["notes_of_task"]
	m.Type, m.MaxEntries, m.Flags = ebpf.Array, 1, 0
	m.Key, m.Value = nil, nil
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

// own are the maps that a stand-in does not share with the programs it stands
// in for: what one call is worked on with, and the load-time constants.
var own = map[string]bool{"scratch_by_slot": true, "look_by_slot": true, "fresh_conn": true, "conn_seq": true, ".rodata": true}

// loadStandIns loads the programs of spec a second time, to work on the same
// maps. The probe on Go's HTTP client needs none: nothing skips it (uprobe_prog_run).
func loadStandIns(spec *ebpf.CollectionSpec, first *ebpf.Collection, o ebpf.CollectionOptions) (*ebpf.Collection, error) {
	spec = spec.Copy()
	delete(spec.Programs, "go_round_trip")
	if err := spec.Variables["role"].Set(roleStandIn); err != nil {
		return nil, fmt.Errorf("set role: %w", err)
	}
	o.MapReplacements = maps.Clone(first.Maps)
	maps.DeleteFunc(o.MapReplacements, func(name string, _ *ebpf.Map) bool { return own[name] })
	coll, err := ebpf.NewCollectionWithOptions(spec, o)
	if err != nil {
		return nil, fmt.Errorf("load stand-ins: %w", err)
	}
	return coll, nil
}
