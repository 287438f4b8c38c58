// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"testing"
)

// function is an entry of a table made by makeTable: entry counts from the
// start of the code.
type function struct {
	name  string
	entry uint64
}

// makeTable returns a table of functions in the form that magic stands for. The
// start of the code is in it if text is not 0.
func makeTable(magic uint32, text uint64, functions []function) []byte {
	order := binary.LittleEndian
	wide := magic == tableGo116
	names := []byte{0}
	var index, records []byte
	entrySize, base := 8, text
	if wide {
		entrySize = 16
	}
	for _, f := range functions {
		place := len(functions)*entrySize + len(records)
		name := len(names)
		if at := slices.IndexFunc(functions, func(g function) bool { return g.name == f.name }); functions[at] != f {
			name = 1 // names are in the table once: the test repeats the first one only
		} else {
			names = append(append(names, f.name...), 0)
		}
		if wide {
			index = order.AppendUint64(order.AppendUint64(index, base+f.entry), uint64(place))
			records = order.AppendUint32(order.AppendUint64(records, base+f.entry), uint32(name))
		} else {
			index = order.AppendUint32(order.AppendUint32(index, uint32(f.entry)), uint32(place))
			records = order.AppendUint32(order.AppendUint32(records, uint32(f.entry)), uint32(name))
		}
	}
	h := order.AppendUint32(nil, magic)
	h = append(h, 0, 0, 1, pointerSize)
	h = order.AppendUint64(order.AppendUint64(h, uint64(len(functions))), 0)
	if !wide {
		h = order.AppendUint64(h, text)
	}
	const header = 72
	for _, at := range []int{0, len(names), len(names), len(names), len(names)} { // names, four more parts
		h = order.AppendUint64(h, uint64(header+at))
	}
	h = append(h, make([]byte, header-len(h))...)
	return slices.Concat(h, names, index, records)
}

func TestFunctions(t *testing.T) {
	const text = 0x401000
	functions := []function{{"twice", 0x10}, {"twice", 0x20}, {"twice", 0x28}, {"some.a", 0x30}, {"some.ab", 0x40}, {"(*T).b", 0x50}}
	wanted := []string{"twice", "some.a", "(*T).b", "absent", "ome.ab"}
	want := map[string]uint64{"some.a": text + 0x30, "(*T).b": text + 0x50}
	module := func(table, start uint64) []byte {
		m := make([]byte, moduleText+8)
		binary.LittleEndian.PutUint64(m, table)
		binary.LittleEndian.PutUint64(m[moduleText:], start)
		return m
	}
	own := section{name: ".gopclntab", addr: 0x5000}
	merged := section{name: ".data.rel.ro", addr: 0x5000 - 40}
	data := section{name: ".go.module", addr: 0x7000}
	padding := slices.Concat(make([]byte, 8), []byte("\xf1\xff\xff\xff\x00\x00\x01\x08"), make([]byte, 24))
	for _, tt := range []struct {
		name  string
		img   *image
		fails bool
	}{
		{"Go 1.16", imageOf(own, makeTable(tableGo116, text, functions)), false},
		{"Go 1.18", imageOf(own, makeTable(tableGo118, text, functions)), false},
		{"Go 1.20", imageOf(own, makeTable(tableGo120, text, functions)), false},
		{"Go 1.26", imageOf(own, makeTable(tableGo120, 0, functions), data, module(own.addr, text)), false},
		{"merged", imageOf(merged, slices.Concat(padding, makeTable(tableGo118, text, functions))), false},
		{"nothing tells the start", imageOf(own, makeTable(tableGo120, 0, functions)), true},
		{"another module", imageOf(own, makeTable(tableGo120, 0, functions), data, module(0x5008, text)), true},
		{"Go 1.15", imageOf(own, makeTable(0xfffffffb, text, functions)), true},
		{"cut off", imageOf(own, makeTable(tableGo120, text, functions)[:150]), true},
		{"no table", imageOf(merged, padding), true},
		{"no section", imageOf(data, padding), true},
	} {
		got, err := tt.img.functions(wanted...)
		switch {
		case tt.fails && !errors.Is(err, errMalformed):
			t.Errorf("%s: %v, %v", tt.name, got, err)
		case !tt.fails && (err != nil || !maps.Equal(got, want)):
			t.Errorf("%s: %#x, %v; want %#x", tt.name, got, err, want)
		}
	}
}

// A table that claims more than it has costs no more than what it has.
func TestFunctionCounts(t *testing.T) {
	for _, count := range []uint64{6, 1 << 20, 1 << 60, 1<<64 - 1} {
		table := makeTable(tableGo120, 0x1000, []function{{"a", 0}, {"b", 1}})
		binary.LittleEndian.PutUint64(table[8:], count)
		img := imageOf(section{name: ".gopclntab", addr: 0x5000}, table)
		if got, err := img.functions("a"); !errors.Is(err, errMalformed) {
			t.Errorf("%d functions: %v, %v", count, got, err)
		}
	}
}
