// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"debug/elf"
	"encoding/binary"
)

// relocationSize is that of an Elf64_Rela: place, type and symbol, addend.
const relocationSize = 24

// pointerAt returns the address that the word at addr holds once the program is
// loaded. In position-independent files the word itself may be zero in the
// file, and a relocation tell the address.
func (img *image) pointerAt(addr uint64) (uint64, error) {
	for _, s := range img.sections {
		if s.kind != elf.SHT_RELA || s.addr == 0 {
			continue
		}
		if target, ok, err := img.relocation(s, addr); ok || err != nil {
			return target, err
		}
	}
	return img.uint64At(addr)
}

// relocation looks for the relative relocation of the word at addr.
func (img *image) relocation(table section, addr uint64) (target uint64, ok bool, err error) {
	w := newWindow(img, table.offset, table.size)
	for pos := uint64(0); pos+relocationSize <= table.size; {
		n := min(windowSize/relocationSize*relocationSize, table.size-pos)
		p, err := w.bytes(pos, n)
		if err != nil {
			return 0, false, err
		}
		for ; len(p) >= relocationSize; p = p[relocationSize:] {
			if binary.LittleEndian.Uint64(p) == addr && img.isRelative(binary.LittleEndian.Uint64(p[8:])) {
				return binary.LittleEndian.Uint64(p[16:]), true, nil
			}
		}
		pos += n / relocationSize * relocationSize
	}
	return 0, false, nil
}

// isRelative says whether a relocation gives an address of the file itself.
func (img *image) isRelative(info uint64) bool {
	kind := uint32(info)
	if img.machine == machineARM64 {
		return kind == uint32(elf.R_AARCH64_RELATIVE)
	}
	return kind == uint32(elf.R_X86_64_RELATIVE)
}
