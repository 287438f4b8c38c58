// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// TestStatOrder compares the counters' indices with enum stat of every object.
func TestStatOrder(t *testing.T) {
	want := map[string]uint64{
		"STAT_LOST_RECORDS": uint64(statLostRecords), "STAT_LOST_BYTES": uint64(statLostBytes), "STAT_LOST_REQUESTS": uint64(statLostRequests),
		"STAT_LOST_CONTROL": uint64(statLostControl), "STAT_UNSEEN_CALLS": uint64(statUnseenCalls),
		"STAT_READ_FAULTS": uint64(statReadFaults), "STAT_SEGS_CUT": uint64(statSegsCut), "STAT_CONNS": uint64(statConns),
		"STAT_CONN_FULL": uint64(statConnFull), "STAT_VERDICT_FULL": uint64(statVerdictFull),
		"STAT_PROGRESS_FULL": uint64(statProgressFull), "STAT_CALLER_FULL": uint64(statCallerFull),
		"STAT_UNNOTED": uint64(statUnnoted), "STAT_STOOD_IN": uint64(statStoodIn), "STAT_STOOD_IN_ENDS": uint64(statStoodInEnds), "STAT_MAX": uint64(statMax),
	}
	paths, err := filepath.Glob("../bpf/*_bpfel.o")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no objects: %v", err)
	}
	for _, path := range paths {
		spec, err := btf.LoadSpec(path)
		if err != nil {
			t.Fatal(err)
		}
		var e *btf.Enum
		if err := spec.TypeByName("stat", &e); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got := map[string]uint64{}
		for _, v := range e.Values {
			got[v.Name] = v.Value
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: enum stat is %v, Go has %v", path, got, want)
		}
	}
}

// TestProgressKey compares the progress map's key with its Go layout.
func TestProgressKey(t *testing.T) {
	spec, err := btf.LoadSpec("../bpf/fentry_x86_bpfel.o")
	if err != nil {
		t.Fatal(err)
	}
	var s *btf.Struct
	if err := spec.TypeByName("progress_key", &s); err != nil {
		t.Fatal(err)
	}
	g := reflect.TypeFor[progressKey]()
	if uintptr(s.Size) != g.Size() || len(s.Members) != g.NumField() {
		t.Fatalf("%d bytes in %d fields, Go has %d in %d", s.Size, len(s.Members), g.Size(), g.NumField())
	}
	for i, m := range s.Members {
		if uintptr(m.Offset.Bytes()) != g.Field(i).Offset {
			t.Errorf("%s at %d, Go has it at %d", m.Name, m.Offset.Bytes(), g.Field(i).Offset)
		}
	}
}
