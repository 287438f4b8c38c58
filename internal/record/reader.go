// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Reader reads a recording.
type Reader struct {
	in  *bufio.Reader
	buf []byte
}

// NewReader returns a Reader and the header of what it reads.
func NewReader(in io.Reader) (*Reader, Header, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 64<<10)}
	var h Header
	kind, b, err := r.Next()
	if err != nil || kind != kindMagic || string(b) != magic {
		return nil, h, fmt.Errorf("%w: it does not begin like one", ErrFormat)
	}
	kind, b, err = r.Next()
	if err != nil || kind != kindHeader {
		return nil, h, fmt.Errorf("%w: it has no header", ErrFormat)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, h, fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if h.Version != Version {
		return nil, h, fmt.Errorf("%w: format version %d, want %d", ErrFormat, h.Version, Version)
	}
	return r, h, nil
}

// Next returns the next frame, valid until the next call. The error is io.EOF
// at the end, and io.ErrUnexpectedEOF within a frame: an agent that is killed
// leaves such a file.
func (r *Reader) Next() (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return 0, nil, end(err)
	}
	kind, n := Kind(head[0]), binary.LittleEndian.Uint32(head[1:])
	if kind >= kindCount || n > maxFrame {
		return 0, nil, fmt.Errorf("%w: frame of kind %d with %d bytes", ErrFormat, kind, n)
	}
	if cap(r.buf) < int(n) {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, end(err)
	}
	return kind, r.buf, nil
}

func end(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("read recording: %w", err)
}

// Numbers decodes a frame of n numbers.
func Numbers(b []byte, n int) ([]uint64, error) {
	if len(b) != 8*n {
		return nil, fmt.Errorf("%w: frame of %d bytes, want %d numbers", ErrFormat, len(b), n)
	}
	values := make([]uint64, n)
	for i := range values {
		values[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return values, nil
}

// DecodeTarget decodes a frame of KindTarget.
func DecodeTarget(b []byte) (t Target, err error) {
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("%w: target: %w", ErrFormat, err)
	}
	return t, nil
}
