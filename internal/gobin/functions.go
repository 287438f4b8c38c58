// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"encoding/binary"
	"fmt"
)

// Magic numbers of the table of functions, by the release that began with them
// (internal/abi, symtab.go).
const (
	tableGo116 = 0xfffffffa
	tableGo118 = 0xfffffff0
	tableGo120 = 0xfffffff1
)

const (
	pointerSize = 8 // in bytes, of both machines
	tableAlign  = 8 // at least, of the table
	maxHeaders  = 8 // that are tried where the table has to be searched
)

// functionTable is .gopclntab: the names of all functions and where they begin,
// which is in every executable, stripped or not, since panics need it.
type functionTable struct {
	img   *image
	addr  uint64  // of the table
	start uint64  // of the table, in the file
	wide  bool    // its numbers are 64-bit addresses: before Go 1.18
	count uint64  // functions
	names *window // each ended by a zero
	index *window // of each function its entry and the position of its record
	funcs *window // the records; positions count from the start of the index
}

// functions returns the addresses of those of the named functions that the
// executable has exactly once.
func (img *image) functions(names ...string) (map[string]uint64, error) {
	t, err := img.openFunctionTable()
	if err != nil {
		return nil, err
	}
	wanted := map[uint32]string{}
	for _, name := range names {
		offset, ok, err := t.nameOffset(name)
		if err != nil {
			return nil, err
		}
		if ok {
			wanted[offset] = name
		}
	}
	return t.entries(wanted)
}

// openFunctionTable finds the table. Where the system's linker makes a
// position-independent executable it has no section of its own, but lies
// somewhere in the data that relocations change.
func (img *image) openFunctionTable() (*functionTable, error) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s, ok := img.section(name); ok {
			return img.functionTableIn(s)
		}
	}
	s, ok := img.section(".data.rel.ro")
	if !ok {
		return nil, fmt.Errorf("%w: no function table", errMalformed)
	}
	return img.searchFunctionTable(s)
}

// searchFunctionTable looks for a header, which is the same in all forms of the
// table but for the first byte.
func (img *image) searchFunctionTable(s section) (t *functionTable, err error) {
	start := []byte{0xff, 0xff, 0xff, 0, 0, 1, pointerSize}
	if img.machine == machineARM64 {
		start[5] = 4 // the size of an instruction
	}
	tries := 0
	err = newWindow(img, s.offset, s.size).search(start, func(pos uint64) bool {
		if pos%tableAlign != 1 {
			return true
		}
		part := section{addr: s.addr + pos - 1, offset: s.offset + pos - 1, size: s.size - pos + 1}
		t, _ = img.functionTableIn(part)
		tries++
		return t == nil && tries < maxHeaders
	})
	if err == nil && t == nil {
		err = fmt.Errorf("%w: no function table", errMalformed)
	}
	return t, err
}

// functionTableIn reads the header of a table that begins a section.
func (img *image) functionTableIn(s section) (*functionTable, error) {
	h := make([]byte, 72)
	if err := img.readAt(h, s.offset); err != nil {
		return nil, err
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(h[8*i:]) }
	t := &functionTable{img: img, addr: s.addr, start: s.offset, count: word(1)}
	first, entry := 4, uint64(8) // the word with the place of the names; an index entry's size
	switch binary.LittleEndian.Uint32(h) {
	case tableGo116:
		first, entry, t.wide = 3, 16, true
	case tableGo118, tableGo120:
	default:
		return nil, fmt.Errorf("%w: a function table of an unknown form", errMalformed)
	}
	names, afterNames, funcs := word(first), word(first+1), word(first+4)
	if h[7] != pointerSize || names > afterNames || afterNames > funcs || funcs > s.size || t.count > (s.size-funcs)/entry {
		return nil, fmt.Errorf("%w: parts of the function table lie outside", errMalformed)
	}
	t.names = newWindow(img, s.offset+names, afterNames-names)
	t.index = newWindow(img, s.offset+funcs, t.count*entry)
	t.funcs = newWindow(img, s.offset+funcs, s.size-funcs)
	return t, nil
}

// nameOffset returns where in the table of names a name begins.
func (t *functionTable) nameOffset(name string) (offset uint32, ok bool, err error) {
	err = t.names.search([]byte("\x00"+name+"\x00"), func(pos uint64) bool {
		offset, ok = uint32(pos+1), true
		return false
	})
	return offset, ok, err
}

// entries returns the addresses of the functions whose names are wanted.
func (t *functionTable) entries(wanted map[uint32]string) (map[string]uint64, error) {
	found, seen := map[string]uint64{}, map[string]bool{}
	for i := uint64(0); i < t.count; i++ {
		pos, offset, err := t.record(i)
		if err != nil {
			return nil, err
		}
		name := wanted[offset]
		if name == "" {
			continue
		}
		if seen[name] {
			delete(found, name)
			continue
		}
		seen[name] = true
		if found[name], err = t.entry(pos); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// record returns the position of the record of function i and the offset of
// its name.
func (t *functionTable) record(i uint64) (pos uint64, name uint32, err error) {
	if t.wide {
		if pos, err = t.index.uint64(16*i + 8); err == nil {
			name, err = t.funcs.uint32(pos + 8)
		}
		return pos, name, err
	}
	short, err := t.index.uint32(8*i + 4)
	if err == nil {
		name, err = t.funcs.uint32(uint64(short) + 4)
	}
	return uint64(short), name, err
}

// entry returns the address of the function whose record is at pos.
func (t *functionTable) entry(pos uint64) (uint64, error) {
	if t.wide {
		return t.img.pointerAt(t.addr + t.funcs.start - t.start + pos)
	}
	offset, err := t.funcs.uint32(pos)
	if err != nil {
		return 0, err
	}
	text, err := t.textStart()
	return text + uint64(offset), err
}

// Where the linker puts the runtime's description of the executable since
// Go 1.26, and where in it the start of the code stands (runtime/symtab.go,
// moduledata).
const (
	moduleSection = ".go.module"
	moduleText    = 22 * 8
)

// textStart returns the address from which offsets of functions count: since
// Go 1.26 the table does not have it any more.
func (t *functionTable) textStart() (uint64, error) {
	text, err := t.img.pointerAt(t.addr + 24)
	if text != 0 || err != nil {
		return text, err
	}
	s, ok := t.img.section(moduleSection)
	if !ok {
		return 0, fmt.Errorf("%w: nothing tells where code begins", errMalformed)
	}
	table, err := t.img.pointerAt(s.addr)
	if err != nil {
		return 0, err
	}
	if table != t.addr {
		return 0, fmt.Errorf("%w: the module's function table is another one", errMalformed)
	}
	return t.img.pointerAt(s.addr + moduleText)
}
