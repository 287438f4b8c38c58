// SPDX-License-Identifier: Apache-2.0

package pybin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxRead bounds what is read of one process, all reads together.
const maxRead = 4 << 20

var errTooMuch = errors.New("more memory than an interpreter needs")

// memory is a process's, seen through bounded reads. After the first error it reads zeros.
type memory struct {
	r    io.ReaderAt
	left int
	err  error
}

// read fills b from addr.
func (m *memory) read(b []byte, addr uint64) {
	if m.err == nil && len(b) > m.left {
		m.err = errTooMuch
	}
	if m.err != nil {
		clear(b)
		return
	}
	m.left -= max(len(b), 64) // a small read costs, too
	if addr > 1<<62 {
		m.err = fmt.Errorf("read at %#x: %w", addr, io.EOF)
	} else if _, err := m.r.ReadAt(b, int64(addr)); err != nil {
		m.err = fmt.Errorf("read at %#x: %w", addr, err)
	}
	if m.err != nil {
		clear(b)
	}
}

func (m *memory) word(addr uint64) uint64 {
	var b [8]byte
	m.read(b[:], addr)
	return binary.LittleEndian.Uint64(b[:])
}

func (m *memory) half(addr uint64) uint32 {
	var b [4]byte
	m.read(b[:], addr)
	return binary.LittleEndian.Uint32(b[:])
}
