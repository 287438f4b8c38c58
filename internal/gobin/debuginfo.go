// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"bytes"
	"compress/zlib"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// maxDebugSection is the size of the largest section of debug information that
// is read, unpacked, in bytes.
const maxDebugSection = 64 << 20

// structs has, by name, the structures whose fields are looked for, and for
// each field where its offset goes.
type structs map[string]map[string]*uint16

// LayoutFromDebugInfo reads from the debug information of a Go executable what
// is otherwise taken from the table; it does not tell the hashes of types. A
// part that is not there in full is zero. The error says that there is no debug
// information, or none that can be read.
func LayoutFromDebugInfo(r io.ReaderAt) (GLayout, ConnLayout, error) {
	img, err := openImage(r)
	if err != nil {
		return GLayout{}, ConnLayout{}, err
	}
	found, err := img.debugLayout()
	return found.g, found.conn, err
}

func (img *image) debugLayout() (layout, error) {
	const missing = math.MaxUint16
	goid, parent := uint16(missing), uint16(0)
	conn, pfd, sysfd, hash := uint16(missing), uint16(missing), uint16(missing), uint16(missing)
	err := img.findFields(structs{
		"runtime.g":            {"goid": &goid, "parentGoid": &parent},
		"net/http.persistConn": {"conn": &conn},
		"net.netFD":            {"pfd": &pfd},
		"internal/poll.FD":     {"Sysfd": &sysfd},
		"runtime.itab":         {"hash": &hash}, // until Go 1.21
		"internal/abi.ITab":    {"Hash": &hash},
	})
	if err != nil {
		return layout{}, err
	}
	var l layout
	if goid != missing {
		l.g = GLayout{Goid: goid, ParentGoid: parent}
	}
	if conn == missing || pfd == missing || sysfd == missing || hash == missing {
		return l, nil
	}
	l.conn = ConnLayout{Conn: conn, Sysfd: pfd + sysfd, ItabHash: hash}
	return l, nil
}

// findFields stores the offsets of the fields it finds.
func (img *image) findFields(wanted structs) (err error) {
	defer func() { // the package was not made for files of strangers
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: debug information: %v", errMalformed, p)
		}
	}()
	data, err := img.debugInfo()
	if err != nil {
		return err
	}
	r := data.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			return fmt.Errorf("%w: debug information: %w", errMalformed, err)
		}
		if e == nil {
			return nil
		}
		if e.Tag == dwarf.TagCompileUnit {
			continue // its children are what is looked at
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		if fields := wanted[name]; e.Tag == dwarf.TagStructType && fields != nil && e.Children {
			err = findMembers(r, fields)
		} else {
			r.SkipChildren()
		}
		if err != nil {
			return err
		}
	}
}

// findMembers reads the members of one structure.
func findMembers(r *dwarf.Reader, fields map[string]*uint16) error {
	for {
		e, err := r.Next()
		if err != nil {
			return fmt.Errorf("%w: debug information: %w", errMalformed, err)
		}
		if e == nil || e.Tag == 0 {
			return nil
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		offset, ok := e.Val(dwarf.AttrDataMemberLoc).(int64)
		if place := fields[name]; place != nil && ok && offset >= 0 && offset < math.MaxUint16/2 {
			*place = uint16(offset)
		}
		r.SkipChildren()
	}
}

// debugInfo reads the sections that describe types, and those that what lies
// between the types refers to.
func (img *image) debugInfo() (*dwarf.Data, error) {
	part := map[string][]byte{}
	for _, name := range []string{"abbrev", "info", "str", "line_str", "str_offsets", "addr"} {
		s, _ := img.section(".debug_" + name)
		var err error
		if part[name], err = img.unpack(s); err != nil {
			return nil, err
		}
	}
	if len(part["info"]) == 0 || len(part["abbrev"]) == 0 {
		return nil, fmt.Errorf("%w: no debug information", errMalformed)
	}
	data, err := dwarf.New(part["abbrev"], nil, nil, part["info"], nil, nil, nil, part["str"])
	for _, name := range []string{"line_str", "str_offsets", "addr"} {
		if err == nil {
			err = data.AddSection(".debug_"+name, part[name])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: debug information: %w", errMalformed, err)
	}
	return data, nil
}

// unpack reads a whole section, decompressed.
func (img *image) unpack(s section) ([]byte, error) {
	if s.size > maxDebugSection {
		return nil, fmt.Errorf("%w: section %s of %d bytes", errMalformed, s.name, s.size)
	}
	raw := make([]byte, s.size)
	if err := img.readAt(raw, s.offset); err != nil || s.flags&elf.SHF_COMPRESSED == 0 {
		return raw, err
	}
	var h elf.Chdr64
	n, err := binary.Decode(raw, binary.LittleEndian, &h)
	if err != nil || elf.CompressionType(h.Type) != elf.COMPRESS_ZLIB || h.Size > maxDebugSection {
		return nil, fmt.Errorf("%w: section %s is compressed in an unknown way", errMalformed, s.name)
	}
	return inflate(raw[n:], h.Size)
}

// inflate unpacks exactly size bytes.
func inflate(packed []byte, size uint64) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%w: compressed section: %w", errMalformed, err)
	}
	p := make([]byte, size)
	if _, err := io.ReadFull(z, p); err != nil {
		return nil, fmt.Errorf("%w: compressed section: %w", errMalformed, err)
	}
	return p, nil
}
