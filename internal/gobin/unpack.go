// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"bufio"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// offsetReader reads an image in order, from a position on.
type offsetReader struct {
	img *image
	at  uint64
	end uint64
}

func (r *offsetReader) Read(p []byte) (int, error) {
	p = p[:min(uint64(len(p)), r.end-r.at)]
	if len(p) == 0 {
		return 0, io.EOF
	}
	if err := r.img.readAt(p, r.at); err != nil {
		return 0, err
	}
	r.at += uint64(len(p))
	return len(p), nil
}

// unpack returns a reader of a section's content, which may be compressed.
func (img *image) unpack(s section) (io.Reader, error) {
	if s.offset+s.size < s.offset {
		return nil, fmt.Errorf("%w: section %s is too long", errMalformed, s.name)
	}
	r := bufio.NewReader(&offsetReader{img, s.offset, s.offset + s.size})
	if s.flags&elf.SHF_COMPRESSED == 0 {
		return r, nil
	}
	var h elf.Chdr64
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil {
		return nil, asMalformed(err)
	}
	if elf.CompressionType(h.Type) != elf.COMPRESS_ZLIB {
		return nil, fmt.Errorf("%w: section %s is compressed in an unknown way", errMalformed, s.name)
	}
	z, err := zlib.NewReader(r)
	return z, asMalformed(err)
}

// unpackAll returns the whole content of a section that is not large.
func (img *image) unpackAll(s section) ([]byte, error) {
	r, err := img.unpack(s)
	if err != nil {
		return nil, err
	}
	p, err := io.ReadAll(io.LimitReader(r, maxOtherDebug+1))
	if err != nil {
		return nil, asMalformed(err)
	}
	if len(p) > maxOtherDebug {
		return nil, fmt.Errorf("%w: section %s has more than %d bytes", errMalformed, s.name, maxOtherDebug)
	}
	return p, nil
}
