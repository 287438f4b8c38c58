// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	machineAMD64 = elf.EM_X86_64
	machineARM64 = elf.EM_AARCH64
)

// What an executable may make the agent do. The largest Go programs stay far
// below.
const (
	maxSections  = 1024
	maxSegments  = 128
	maxNameTable = 64 << 10  // bytes of section names
	maxRead      = 192 << 20 // bytes, all reads of one image together
	minRead      = 512       // bytes that the smallest read counts for
)

// errMalformed says that a file contradicts itself, or is unlike what any Go
// toolchain makes.
var errMalformed = errors.New("malformed executable")

// image is an ELF file for one of the two machines, seen through bounded reads.
// debug/elf is not made for files of strangers, hence the reader of its own.
type image struct {
	r        io.ReaderAt
	left     int64 // bytes that may still be read
	machine  elf.Machine
	kind     elf.Type
	sections []section
	segments []segment
}

// section is what matters of a section header.
type section struct {
	name               string
	kind               elf.SectionType
	flags              elf.SectionFlag
	addr, offset, size uint64
}

// segment is a loaded part of the file. Its memory beyond size is zero.
type segment struct{ addr, offset, size uint64 }

// openImage reads the headers of an ELF file.
func openImage(r io.ReaderAt) (*image, error) {
	img := &image{r: r, left: maxRead}
	var h elf.Header64
	if err := img.readStruct(&h, 0); err != nil {
		return nil, notGo(err)
	}
	ident := string(h.Ident[:4]) + string(h.Ident[elf.EI_CLASS:elf.EI_VERSION])
	if ident != elf.ELFMAG+string([]byte{byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)}) {
		return nil, fmt.Errorf("%w: not a little-endian 64-bit ELF file", ErrNotGo)
	}
	img.machine, img.kind = elf.Machine(h.Machine), elf.Type(h.Type)
	if img.machine != machineAMD64 && img.machine != machineARM64 {
		return nil, fmt.Errorf("%w: built for %v", ErrNotGo, img.machine)
	}
	if img.kind != elf.ET_EXEC && img.kind != elf.ET_DYN {
		return nil, fmt.Errorf("%w: of ELF type %v", ErrNotGo, img.kind)
	}
	if err := img.readSegments(h); err != nil {
		return nil, notGo(err)
	}
	return img, notGo(img.readSections(h))
}

// notGo makes errMalformed an ErrNotGo and passes on every other error, nil
// among them.
func notGo(err error) error {
	if errors.Is(err, errMalformed) {
		return fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	return err
}

func (img *image) readSegments(h elf.Header64) error {
	if h.Phnum > maxSegments || int(h.Phentsize) != binary.Size(elf.Prog64{}) {
		return fmt.Errorf("%w: %d segments of %d bytes", errMalformed, h.Phnum, h.Phentsize)
	}
	headers := make([]elf.Prog64, h.Phnum)
	if err := img.readStruct(headers, h.Phoff); err != nil {
		return err
	}
	for _, p := range headers {
		if elf.ProgType(p.Type) == elf.PT_LOAD {
			img.segments = append(img.segments, segment{p.Vaddr, p.Off, p.Filesz})
		}
	}
	return nil
}

func (img *image) readSections(h elf.Header64) error {
	if h.Shnum > maxSections || h.Shstrndx >= h.Shnum || int(h.Shentsize) != binary.Size(elf.Section64{}) {
		return fmt.Errorf("%w: %d sections of %d bytes", errMalformed, h.Shnum, h.Shentsize)
	}
	headers := make([]elf.Section64, h.Shnum)
	if err := img.readStruct(headers, h.Shoff); err != nil {
		return err
	}
	table := headers[h.Shstrndx]
	if table.Size > maxNameTable {
		return fmt.Errorf("%w: %d bytes of section names", errMalformed, table.Size)
	}
	names := make([]byte, table.Size)
	if err := img.readAt(names, table.Off); err != nil {
		return err
	}
	for _, s := range headers {
		img.sections = append(img.sections, section{cString(names, s.Name), elf.SectionType(s.Type), elf.SectionFlag(s.Flags), s.Addr, s.Off, s.Size})
	}
	return nil
}

// cString returns the string that begins at an offset, "" if none does.
func cString(table []byte, offset uint32) string {
	if uint64(offset) >= uint64(len(table)) {
		return ""
	}
	for i, b := range table[offset:] {
		if b == 0 {
			return string(table[offset : int(offset)+i])
		}
	}
	return ""
}

// section returns the first section of that name which has content in the file.
func (img *image) section(name string) (section, bool) {
	for _, s := range img.sections {
		if s.name == name && s.kind != elf.SHT_NOBITS {
			return s, true
		}
	}
	return section{}, false
}

// fileOffset returns where in the file the byte lies that is loaded at addr
// (without the address at which a position-independent file as a whole is
// loaded).
func (img *image) fileOffset(addr uint64) (uint64, bool) {
	for _, s := range img.segments {
		if addr >= s.addr && addr-s.addr < s.size {
			return addr - s.addr + s.offset, true
		}
	}
	return 0, false
}

// readMemory fills p with what is loaded from the file at addr.
func (img *image) readMemory(p []byte, addr uint64) error {
	offset, ok := img.fileOffset(addr)
	if !ok {
		return fmt.Errorf("%w: nothing is loaded at %#x", errMalformed, addr)
	}
	return img.readAt(p, offset)
}

// readStruct reads v, a fixed-size value as encoding/binary has it.
func (img *image) readStruct(v any, offset uint64) error {
	p := make([]byte, binary.Size(v))
	if err := img.readAt(p, offset); err != nil {
		return err
	}
	_, err := binary.Decode(p, binary.LittleEndian, v)
	return err
}

// readAt fills p from the file. A file that is too short, or that has made the
// agent read too much already, is malformed.
func (img *image) readAt(p []byte, offset uint64) error {
	img.left -= max(int64(len(p)), minRead)
	if img.left < 0 || int64(offset) < 0 {
		return fmt.Errorf("%w: %d bytes at %#x are too much to read", errMalformed, len(p), offset)
	}
	n, err := img.r.ReadAt(p, int64(offset))
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends before %#x", errMalformed, offset+uint64(len(p)))
	}
	return fmt.Errorf("read executable: %w", err)
}

// uint64At reads a number at addr as the file has it.
func (img *image) uint64At(addr uint64) (uint64, error) {
	var p [8]byte
	err := img.readMemory(p[:], addr)
	return binary.LittleEndian.Uint64(p[:]), err
}
