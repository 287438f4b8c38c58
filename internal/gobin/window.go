// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// windowSize is how much of a large table is in memory at once.
const windowSize = 64 << 10

// window gives access to a part of the file, of which it holds some kilobytes.
// It is cheap where positions ascend.
type window struct {
	img         *image
	start, size uint64 // of the part, in the file
	at          uint64 // where in the part buf begins
	buf         []byte
}

func newWindow(img *image, start, size uint64) *window {
	return &window{img: img, start: start, size: size}
}

// bytes returns n bytes, at most windowSize, from position pos. They are valid
// until the next call.
func (w *window) bytes(pos, n uint64) ([]byte, error) {
	if pos > w.size || n > w.size-pos {
		return nil, fmt.Errorf("%w: %d bytes at %#x of a table of %#x", errMalformed, n, pos, w.size)
	}
	if pos < w.at || pos+n > w.at+uint64(len(w.buf)) {
		if err := w.fill(pos); err != nil {
			return nil, err
		}
	}
	return w.buf[pos-w.at:][:n], nil
}

func (w *window) fill(pos uint64) error {
	if w.buf == nil {
		w.buf = make([]byte, 0, min(windowSize, w.size))
	}
	w.at, w.buf = pos, w.buf[:min(uint64(cap(w.buf)), w.size-pos)]
	err := w.img.readAt(w.buf, w.start+pos)
	if err != nil {
		w.buf = w.buf[:0]
	}
	return err
}

func (w *window) uint32(pos uint64) (uint32, error) {
	p, err := w.bytes(pos, 4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(p), nil
}

func (w *window) uint64(pos uint64) (uint64, error) {
	p, err := w.bytes(pos, 8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(p), nil
}

// search calls found with each position at which needle lies, until it returns
// false. Needles are short.
func (w *window) search(needle []byte, found func(pos uint64) bool) error {
	for pos := uint64(0); w.size-pos >= uint64(len(needle)); {
		p, err := w.bytes(pos, min(windowSize, w.size-pos))
		if err != nil {
			return err
		}
		for i := 0; ; i++ {
			next := bytes.Index(p[i:], needle)
			if next < 0 {
				break
			}
			i += next
			if !found(pos + uint64(i)) {
				return nil
			}
		}
		pos += uint64(len(p) - len(needle) + 1)
	}
	return nil
}
