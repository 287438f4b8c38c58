// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// imageOf returns an image of sections with contents, given in pairs. Each
// section is loaded at the address it has.
func imageOf(pairs ...any) *image {
	img := &image{left: maxRead, machine: machineAMD64, kind: elf.ET_EXEC}
	var file []byte
	for i := 0; i < len(pairs); i += 2 {
		s, content := pairs[i].(section), pairs[i+1].([]byte)
		s.offset, s.size = uint64(len(file)), uint64(len(content))
		img.sections = append(img.sections, s)
		if s.addr != 0 {
			img.segments = append(img.segments, segment{s.addr, s.offset, s.size})
		}
		file = append(file, content...)
	}
	img.r = bytes.NewReader(file)
	return img
}

func TestNotGo(t *testing.T) {
	script := []byte("#!/bin/sh\n" + strings.Repeat("x", 100))
	header := func(change func(*elf.Header64)) []byte {
		h := elf.Header64{
			Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64),
			Phentsize: 56, Shentsize: 64, Shoff: 64, Shnum: 1,
		}
		change(&h)
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
			t.Fatal(err)
		}
		return append(b.Bytes(), make([]byte, 256)...)
	}
	for name, file := range map[string][]byte{
		"empty":              {},
		"a script":           script,
		"32 bits":            header(func(h *elf.Header64) { h.Ident[4] = 1 }),
		"big endian":         header(func(h *elf.Header64) { h.Ident[5] = 2 }),
		"another machine":    header(func(h *elf.Header64) { h.Machine = uint16(elf.EM_RISCV) }),
		"an object":          header(func(h *elf.Header64) { h.Type = uint16(elf.ET_REL) }),
		"no build info":      header(func(*elf.Header64) {}),
		"no sections":        header(func(h *elf.Header64) { h.Shnum, h.Shoff = 0, 0 }),
		"65535 sections":     header(func(h *elf.Header64) { h.Shnum = 65535 }),
		"65535 segments":     header(func(h *elf.Header64) { h.Phnum = 65535 }),
		"sections elsewhere": header(func(h *elf.Header64) { h.Shoff = 1 << 63 }),
		"only a header":      header(func(*elf.Header64) {})[:64],
	} {
		info, err := Inspect(bytes.NewReader(file))
		if !errors.Is(err, ErrNotGo) || info != (Info{}) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}

func TestInspectFileNames(t *testing.T) {
	if _, err := InspectFile(t.TempDir() + "/absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

// Trouble of the reader is not taken for a property of the file.
func TestReaderFails(t *testing.T) {
	broken := errors.New("broken")
	_, err := Inspect(readerFunc(func([]byte, int64) (int, error) { return 0, broken }))
	if !errors.Is(err, broken) || errors.Is(err, ErrNotGo) {
		t.Errorf("error %v", err)
	}
}

type readerFunc func([]byte, int64) (int, error)

func (f readerFunc) ReadAt(p []byte, at int64) (int, error) { return f(p, at) }

// A file may claim to be endless.
func TestReadsAreBounded(t *testing.T) {
	zeros := readerFunc(func(p []byte, _ int64) (int, error) { clear(p); return len(p), nil })
	img := &image{r: zeros, left: maxRead}
	w := newWindow(img, 0, 1<<62)
	err := w.search([]byte("needle"), func(uint64) bool { return true })
	if !errors.Is(err, errMalformed) {
		t.Errorf("error %v", err)
	}
}

func TestWindow(t *testing.T) {
	content := make([]byte, 3*windowSize+100)
	needle := []byte("needle")
	var want []uint64
	for _, at := range []int{0, 50, windowSize - 3, 2*windowSize - 6, 2 * windowSize, len(content) - 6} {
		copy(content[at:], needle)
		want = append(want, uint64(at))
	}
	img := &image{r: io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))), left: maxRead}
	w := newWindow(img, 0, uint64(len(content)))
	var got []uint64
	if err := w.search(needle, func(pos uint64) bool { got = append(got, pos); return true }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found at %d, want %d", got, want)
	}
	for _, at := range []uint64{0, windowSize - 4, 3 * windowSize, 10} {
		got, err := w.uint64(at)
		if err != nil || got != binary.LittleEndian.Uint64(content[at:]) {
			t.Errorf("at %d: %#x, %v", at, got, err)
		}
	}
	for _, at := range []uint64{uint64(len(content)) - 7, 1 << 63, 1<<64 - 1} {
		if _, err := w.uint64(at); !errors.Is(err, errMalformed) {
			t.Errorf("at %#x: %v", at, err)
		}
	}
}

func TestPointerAt(t *testing.T) {
	var relocations bytes.Buffer
	for _, r := range []elf.Rela64{
		{Off: 0x2000, Info: uint64(elf.R_X86_64_GLOB_DAT), Addend: 1},
		{Off: 0x2000, Info: uint64(elf.R_X86_64_RELATIVE), Addend: 0x777},
	} {
		if err := binary.Write(&relocations, binary.LittleEndian, r); err != nil {
			t.Fatal(err)
		}
	}
	data := make([]byte, 16)
	binary.LittleEndian.PutUint64(data[8:], 0x888)
	img := imageOf(section{name: ".rela.dyn", kind: elf.SHT_RELA, addr: 0x1000}, relocations.Bytes(), section{name: ".data", addr: 0x2000}, data)
	for addr, want := range map[uint64]uint64{0x2000: 0x777, 0x2008: 0x888} {
		if got, err := img.pointerAt(addr); got != want || err != nil {
			t.Errorf("at %#x: %#x, %v; want %#x", addr, got, err, want)
		}
	}
	if _, err := img.pointerAt(0x9000); !errors.Is(err, errMalformed) {
		t.Errorf("where nothing is loaded: %v", err)
	}
}

func TestTLSOffset(t *testing.T) {
	const minus8, minus264 = "\xf8\xff\xff\xff", "\xf8\xfe\xff\xff"
	for _, tt := range []struct {
		name, code string
		want       int32
	}{
		{"absolute", "\x64\x48\x8b\x3c\x25" + minus8, -8},
		{"absolute, later", "\x90\x90\x64\x48\x8b\x1c\x25" + minus264, -264},
		{"by register", "\x48\xc7\xc1" + minus264 + "\x64\x48\x8b\x39", -264},
		{"by register that a table fills", "\x48\x8b\x0d\x10\x20\x30\x00\x64\x48\x8b\x39", 0},
		{"above the base", "\x64\x48\x8b\x3c\x25\x08\x00\x00\x00", 0},
		{"unaligned", "\x64\x48\x8b\x3c\x25\xf9\xff\xff\xff", 0},
		{"another register for the base", "\x48\xc7\xc1" + minus8 + "\x64\x48\x8b\x3a", 0},
		{"nothing", "", 0},
	} {
		code := append([]byte(tt.code), bytes.Repeat([]byte{0x90}, maxPrologue)...)
		img := imageOf(section{name: ".text", addr: 0x1000}, code)
		if got := img.tlsOffset(0x1000); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := imageOf().tlsOffset(0x1000); got != 0 {
		t.Errorf("no code: %d", got)
	}
}
