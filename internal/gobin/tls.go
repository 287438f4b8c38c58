// SPDX-License-Identifier: Apache-2.0

package gobin

import "encoding/binary"

// maxPrologue is how much of a function is looked at, in bytes.
const maxPrologue = 48

// tlsOffset returns where from its FS base a thread keeps the address of its
// goroutine, by the first instructions of runtime.morestack, at addr. They load
// it, in one of two forms, in every release and mode of building, and so tell
// what the linker decided; the symbol that tells the same is gone in stripped
// files. 0 says that it is unknown.
//
//	64 48 8b /r 25 disp32         mov %fs:disp32, %reg
//	48 c7 c1 imm32  64 48 8b /r   mov $imm32, %rcx; mov %fs:(%rcx), %reg
func (img *image) tlsOffset(addr uint64) int32 {
	p := make([]byte, maxPrologue)
	if err := img.readMemory(p, addr); err != nil {
		return 0
	}
	const register = 0x38 // bits of the register in a ModRM byte
	for ; len(p) >= 11; p = p[1:] {
		direct := string(p[:3]) == "\x64\x48\x8b" && p[3]&^register == 0x04 && p[4] == 0x25
		indirect := string(p[:3]) == "\x48\xc7\xc1" && string(p[7:10]) == "\x64\x48\x8b" && p[10]&^register == 0x01
		switch {
		case direct:
			return plausible(int32(binary.LittleEndian.Uint32(p[5:])))
		case indirect:
			return plausible(int32(binary.LittleEndian.Uint32(p[3:])))
		}
	}
	return 0
}

// plausible returns offset if it can be that of a pointer of the executable
// itself: thread-local variables of an executable lie below the FS base.
func plausible(offset int32) int32 {
	if offset >= 0 || offset%8 != 0 {
		return 0
	}
	return offset
}
