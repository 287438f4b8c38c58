// SPDX-License-Identifier: Apache-2.0

package pybin

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
)

// symbols looks up what a loaded ELF image exports, by its GNU hash table.
type symbols struct {
	m             *memory
	bias          uint64 // between addresses in the file and in memory
	hash          uint64
	names, values uint64
}

const (
	maxSegments = 64
	maxDynamic  = 256
	maxChain    = 1024 // symbols of one bucket
)

// symbols reads the headers of the image whose first page is mapped at base.
func (m *memory) symbols(base uint64) (*symbols, error) {
	var h [64]byte
	m.read(h[:], base)
	le := binary.LittleEndian
	if string(h[:6]) != elf.ELFMAG+"\x02\x01" || le.Uint16(h[54:]) != 56 {
		return nil, fmt.Errorf("%w: no 64-bit ELF image", errUnlike)
	}
	s := &symbols{m: m}
	dynamic, bias := uint64(0), base
	for i := range uint64(min(le.Uint16(h[56:]), maxSegments)) {
		var p [56]byte
		m.read(p[:], base+le.Uint64(h[32:])+i*56)
		switch elf.ProgType(le.Uint32(p[:])) {
		case elf.PT_LOAD:
			if le.Uint64(p[8:]) == 0 { // the one that holds these headers
				bias = base - le.Uint64(p[16:])
			}
		case elf.PT_DYNAMIC:
			dynamic = le.Uint64(p[16:])
		}
	}
	s.bias = bias
	if dynamic == 0 {
		return nil, fmt.Errorf("%w: nothing is exported", errUnlike)
	}
	s.tables(bias + dynamic)
	return s, m.err
}

// tables reads the dynamic section. The loader has made addresses of what it
// needs itself; some leave them as they are in the file.
func (s *symbols) tables(dynamic uint64) {
	for i := range uint64(maxDynamic) {
		tag, value := elf.DynTag(s.m.word(dynamic+i*16)), s.m.word(dynamic+i*16+8)
		if value < s.bias {
			value += s.bias
		}
		switch tag {
		case elf.DT_NULL:
			return
		case elf.DT_GNU_HASH:
			s.hash = value
		case elf.DT_STRTAB:
			s.names = value
		case elf.DT_SYMTAB:
			s.values = value
		}
	}
}

// address returns where an exported symbol is in memory.
func (s *symbols) address(name string) (uint64, error) {
	missing := fmt.Errorf("%w: %s is not exported", errUnlike, name)
	if s.hash == 0 || s.names == 0 || s.values == 0 {
		return 0, missing
	}
	h := uint32(5381)
	for _, c := range []byte(name) {
		h = h*33 + uint32(c)
	}
	buckets, first, bloom := s.m.half(s.hash), s.m.half(s.hash+4), s.m.half(s.hash+8)
	if buckets == 0 {
		return 0, missing
	}
	bucketAt := s.hash + 16 + uint64(bloom)*8
	chainAt := bucketAt + uint64(buckets)*4
	i := s.m.half(bucketAt + uint64(h%buckets)*4)
	for range maxChain {
		if i < first || s.m.err != nil {
			break
		}
		chain := s.m.half(chainAt + uint64(i-first)*4)
		if chain|1 == h|1 && s.named(i, name) {
			return s.bias + s.m.word(s.values+uint64(i)*24+8), s.m.err
		}
		if chain&1 != 0 {
			break
		}
		i++
	}
	if s.m.err != nil {
		return 0, s.m.err
	}
	return 0, missing
}

func (s *symbols) named(i uint32, name string) bool {
	b := make([]byte, len(name)+1)
	s.m.read(b, s.names+uint64(s.m.half(s.values+uint64(i)*24)))
	return strings.TrimSuffix(string(b), "\x00") == name && b[len(name)] == 0
}
