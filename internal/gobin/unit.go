// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"bufio"
	"bytes"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// openUnits returns a reader of the units of debug information.
func (img *image) openUnits() (*bufio.Reader, error) {
	s, ok := img.section(".debug_info")
	if !ok {
		return nil, fmt.Errorf("%w: no debug information", errMalformed)
	}
	unpacked, err := img.unpack(s)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(io.LimitReader(unpacked, maxDebugInfo), windowSize), nil
}

// nextRuntime returns the next unit whose package is runtime. Its name is in
// its first bytes.
func nextRuntime(units *bufio.Reader) ([]byte, error) {
	const peek = 128
	for range maxUnits {
		start, err := units.Peek(peek)
		if len(start) < 4 {
			return nil, fmt.Errorf("%w: no unit of package runtime has types: %w", errMalformed, err)
		}
		size := 4 + int(binary.LittleEndian.Uint32(start))
		if isRuntime(start[:min(size, len(start))]) && size <= maxUnit {
			unit := make([]byte, size)
			_, err := io.ReadFull(units, unit)
			return unit, asMalformed(err)
		}
		if _, err := units.Discard(size); err != nil {
			return nil, asMalformed(err)
		}
	}
	return nil, fmt.Errorf("%w: more than %d units", errMalformed, maxUnits)
}

// isRuntime says whether a unit that begins like this is that of package
// runtime, and not of one whose path ends with the same word: the name follows
// the number of an abbreviation, which is small.
func isRuntime(start []byte) bool {
	i := bytes.Index(start, []byte("runtime\x00"))
	return i > 0 && start[i-1] < ' '
}

// asMalformed makes an error of unpacking an errMalformed.
func asMalformed(err error) error {
	if err == nil || errors.Is(err, errMalformed) {
		return err
	}
	return fmt.Errorf("%w: debug information: %w", errMalformed, err)
}

// unitParts reads the other sections that units refer to.
func (img *image) unitParts() (map[string][]byte, error) {
	part := map[string][]byte{}
	for _, name := range []string{"abbrev", "str", "line_str", "str_offsets", "addr"} {
		s, ok := img.section(".debug_" + name)
		if !ok {
			continue
		}
		var err error
		if part[name], err = img.unpackAll(s); err != nil {
			return nil, err
		}
	}
	return part, nil
}

// unitReader returns a reader of the entries of one unit.
func unitReader(unit []byte, part map[string][]byte) (*dwarf.Reader, error) {
	data, err := dwarf.New(part["abbrev"], nil, nil, unit, nil, nil, nil, part["str"])
	for _, name := range []string{"line_str", "str_offsets", "addr"} {
		if err == nil {
			err = data.AddSection(".debug_"+name, part[name])
		}
	}
	if err != nil {
		return nil, asMalformed(err)
	}
	return data.Reader(), nil
}
