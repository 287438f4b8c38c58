// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
)

// smallUnit returns debug information (DWARF version 4) with one unit that has
// one type, runtime.g with its goid, and the abbreviations it uses.
func smallUnit(unit string, goid byte) (info, abbrev []byte) {
	abbrev = []byte{
		1, 0x11, 1, 0x03, 0x08, 0, 0, // compile unit, with children: name, a string
		2, 0x13, 1, 0x03, 0x08, 0, 0, // structure, with children: name
		3, 0x0d, 0, 0x03, 0x08, 0x38, 0x0b, 0, 0, // member: name, location, one byte
		0,
	}
	body := []byte{4, 0, 0, 0, 0, 0, 8, 1}
	body = append(body, unit+"\x00\x02runtime.g\x00\x03goid\x00"...)
	body = append(body, goid, 0, 0)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...), abbrev
}

func TestDebugLayout(t *testing.T) {
	right, abbrev := smallUnit("runtime", 152)
	other, _ := smallUnit("example.com/runtime", 8)
	empty := append([]byte{16, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8, 1}, "runtime\x00\x00"...)
	empty[0] = byte(len(empty) - 4)
	for _, tt := range []struct {
		name   string
		info   []byte
		abbrev []byte
		want   uint16
		fails  bool
	}{
		{"one unit", right, abbrev, 152, false},
		{"a package of the same last name", slices.Concat(other, right, other), abbrev, 152, false},
		{"a unit without types", slices.Concat(empty, right), abbrev, 152, false},
		{"only others", slices.Concat(other, other), abbrev, 0, true},
		{"too many", bytes.Repeat(empty, maxRuntimeUnits+1), abbrev, 0, true},
		{"cut off", right[:len(right)-8], abbrev, 0, true},
		{"no abbreviations", right, nil, 0, true},
		{"nothing", nil, abbrev, 0, true},
	} {
		img := imageOf(section{name: ".debug_info"}, tt.info, section{name: ".debug_abbrev"}, tt.abbrev)
		l, err := img.debugLayout()
		if l.g.Goid != tt.want || errors.Is(err, errMalformed) != tt.fails || l.conn != (ConnLayout{}) {
			t.Errorf("%s: %+v, %v", tt.name, l, err)
		}
	}
}

// A few bytes may unpack to very many.
func TestUnpackIsBounded(t *testing.T) {
	img := imageOf(section{name: ".debug_str"}, make([]byte, maxOtherDebug+1))
	if _, err := img.unpackAll(img.sections[0]); !errors.Is(err, errMalformed) {
		t.Errorf("a long section: %v", err)
	}
	img = imageOf(section{name: ".debug_str", flags: elf.SHF_COMPRESSED}, []byte{9, 0, 0, 0})
	if _, err := img.unpackAll(img.sections[0]); !errors.Is(err, errMalformed) {
		t.Errorf("compressed in no way: %v", err)
	}
}

// An executable whose release the table does not have is read by its debug
// information, if it has any.
func TestUnknownRelease(t *testing.T) {
	m := mode{name: "static", dirs: []string{"witness"}}
	full, stripped := builder{}.build(t, m, ""), builder{}.build(t, m, "-s -w")
	want, err := InspectFile(full)
	if err != nil {
		t.Fatal(err)
	}
	got := inspectAs(t, full, "x")
	if got.G != want.G || got.Conn.Conn != want.Conn.Conn || got.Conn.Sysfd != want.Conn.Sysfd || got.RoundTrip != want.RoundTrip || got.TLS != want.TLS {
		t.Errorf("by debug information %+v\nby the table %+v", got, want)
	}
	if got := inspectAs(t, stripped, "x"); got.G != (GLayout{}) || got.Conn != (ConnLayout{}) || got.RoundTrip != 0 {
		t.Errorf("without debug information: %+v", got)
	}
}

// inspectAs inspects a file in whose version the last character is another.
func inspectAs(t *testing.T, path, last string) Info {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := openImage(f)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := img.section(".go.buildinfo")
	if !ok {
		t.Fatal("no build information")
	}
	var length [1]byte
	if _, err := f.ReadAt(length[:], int64(s.offset)+buildHeader); err != nil {
		t.Fatal(err)
	}
	end := int64(s.offset) + buildHeader + int64(length[0])
	var r io.ReaderAt = &patched{ReaderAt: f, bytes: map[int64]byte{end: last[0]}}
	info, err := Inspect(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, plain := release(info.Version); plain {
		t.Fatalf("version %q is one of the table's", info.Version)
	}
	return info
}
