// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"debug/dwarf"
	"fmt"
	"io"
	"math"
)

// What debug information may make the agent do.
const (
	maxUnits        = 16 << 10
	maxRuntimeUnits = 16
	maxUnit         = 32 << 20  // bytes, of the unit that has the types
	maxEntries      = 2 << 20   // of that unit
	maxDebugInfo    = 128 << 20 // bytes, unpacked, that are looked at for it
	maxOtherDebug   = 1 << 20   // bytes, unpacked, of each other section
)

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

// findFields stores the offsets of the fields it finds. The Go linker gives all
// types to a unit of package runtime; there are others of that name.
func (img *image) findFields(wanted structs) (err error) {
	defer func() { // debug/dwarf is not made for files of strangers
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: debug information: %v", errMalformed, p)
		}
	}()
	units, err := img.openUnits()
	if err != nil {
		return err
	}
	part, err := img.unitParts()
	if err != nil {
		return err
	}
	for range maxRuntimeUnits {
		unit, err := nextRuntime(units)
		if err != nil {
			return err
		}
		if found, err := findInUnit(unit, part, wanted); found || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: more than %d units of package runtime", errMalformed, maxRuntimeUnits)
}

// findInUnit says whether a unit has any of the structures. It walks flat, since
// a file may nest its entries as deep as it likes.
func findInUnit(unit []byte, part map[string][]byte, wanted structs) (found bool, err error) {
	r, err := unitReader(unit, part)
	if err != nil {
		return false, err
	}
	var fields map[string]*uint16 // of the structure at hand, nil if it is not wanted
	depth := 0                    // the unit itself has 0, types 1, their members 2
	for range maxEntries {
		e, err := r.Next()
		if e == nil || err != nil {
			return found, asMalformed(err)
		}
		if e.Tag == 0 {
			depth--
			continue
		}
		switch {
		case depth == 1:
			fields = wantedFields(e, wanted)
			found = found || fields != nil
		case depth == 2 && fields != nil:
			storeMember(e, fields)
		}
		if e.Children {
			depth++
		}
	}
	return false, fmt.Errorf("%w: debug information: more than %d entries", errMalformed, maxEntries)
}

func wantedFields(e *dwarf.Entry, wanted structs) map[string]*uint16 {
	if e.Tag != dwarf.TagStructType {
		return nil
	}
	name, _ := e.Val(dwarf.AttrName).(string)
	return wanted[name]
}

func storeMember(e *dwarf.Entry, fields map[string]*uint16) {
	name, _ := e.Val(dwarf.AttrName).(string)
	offset, ok := e.Val(dwarf.AttrDataMemberLoc).(int64)
	if place := fields[name]; place != nil && ok && offset >= 0 && offset < math.MaxUint16/2 {
		*place = uint16(offset)
	}
}
