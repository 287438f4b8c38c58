// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/probes"
)

// structs are the C structs that Go code reads or writes, with their Go counterparts.
var structs = map[string]any{
	"ev_hdr":        event.Header{},
	"ev_conn":       event.WireConn{},
	"ev_data":       event.WireData{},
	"ev_open":       event.WireOpen{},
	"ev_eof":        event.WireEOF{},
	"ev_proc":       event.WireProc{},
	"ev_listen":     event.WireListen{},
	"progress":      event.WireProgress{},
	"go_layout":     probes.GoLayout{},
	"verdict":       probes.Verdict{},
	"port_rule":     probes.PortRule{},
	"python_layout": probes.PythonLayout{},
}

// enums are the C enums whose values Go code knows, all of them.
var enums = map[string]map[string]uint64{
	"ev_kind": {
		"EV_CONN": uint64(event.KindConn), "EV_DATA": uint64(event.KindData), "EV_EOF": uint64(event.KindEOF),
		"EV_CLOSE": uint64(event.KindClose), "EV_PROC": uint64(event.KindProc), "EV_LISTEN": uint64(event.KindListen),
		"EV_OPEN": uint64(event.KindOpen),
	},
	"ev_dir": {"DIR_RECV": uint64(event.Recv), "DIR_SEND": uint64(event.Send)},
	"ev_data_flags": {
		"DATA_HEAD": event.DataHead, "DATA_UNSEEN": event.DataUnseen,
		"DATA_TAIL": event.DataTail, "DATA_QUIET": event.DataQuiet,
		"DATA_TURN": event.DataTurn, "DATA_EARLY": event.DataEarly,
	},
	"ev_proc_op": {
		"PROC_FORK": uint64(event.ProcFork), "PROC_EXEC": uint64(event.ProcExec), "PROC_EXIT": uint64(event.ProcExit),
	},
	"ev_conn_flags": {"CONN_FRESH": event.ConnFresh},
	"verdict_state": {
		"VERDICT_UNKNOWN": uint64(probes.Unknown), "VERDICT_CANDIDATE": uint64(probes.Candidate),
		"VERDICT_SELECTED": uint64(probes.Selected), "VERDICT_EXCLUDED": uint64(probes.Excluded),
	},
}

// TestABI compares what the compiled objects say of their types, each backend
// on each architecture, with the Go types that decode them.
func TestABI(t *testing.T) {
	paths, err := filepath.Glob("*_bpfel.o")
	if err != nil {
		t.Fatal(err)
	}
	if want := 3 * 2; len(paths) != want {
		t.Fatalf("%d objects, want %d: %v", len(paths), want, paths)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(path, "_bpfel.o"), func(t *testing.T) {
			spec, err := btf.LoadSpec(path)
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range structs {
				var c *btf.Struct
				if err := spec.TypeByName(name, &c); err != nil {
					t.Errorf("struct %s: %v", name, err)
					continue
				}
				compareStruct(t, c, reflect.TypeOf(v))
			}
			for name, want := range enums {
				compareEnum(t, spec, name, want)
			}
		})
	}
}

// compareStruct wants the same fields at the same offsets, of the same sizes.
func compareStruct(t *testing.T, c *btf.Struct, g reflect.Type) {
	t.Helper()
	if uintptr(c.Size) != g.Size() {
		t.Errorf("struct %s has %d bytes, %s %d", c.Name, c.Size, g, g.Size())
	}
	if len(c.Members) != g.NumField() {
		t.Errorf("struct %s has %d fields, %s %d", c.Name, len(c.Members), g, g.NumField())
		return
	}
	for i, m := range c.Members {
		f := g.Field(i)
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Errorf("struct %s: %s: %v", c.Name, m.Name, err)
		}
		if normal(m.Name) != normal(f.Name) || uintptr(m.Offset.Bytes()) != f.Offset || uintptr(size) != f.Type.Size() {
			t.Errorf("struct %s: field %s at %d, %d bytes; %s: field %s at %d, %d bytes",
				c.Name, m.Name, m.Offset.Bytes(), size, g, f.Name, f.Offset, f.Type.Size())
		}
	}
}

// normal makes a C name equal to the Go name of the same thing.
func normal(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

func compareEnum(t *testing.T, spec *btf.Spec, name string, want map[string]uint64) {
	t.Helper()
	var e *btf.Enum
	if err := spec.TypeByName(name, &e); err != nil {
		t.Errorf("enum %s: %v", name, err)
		return
	}
	got := map[string]uint64{}
	for _, v := range e.Values {
		got[v.Name] = v.Value
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("enum %s is %v, Go has %v", name, got, want)
	}
}
