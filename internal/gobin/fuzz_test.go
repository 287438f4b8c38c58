// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
)

// patched is a file of which some bytes are replaced.
type patched struct {
	io.ReaderAt
	bytes map[int64]byte
	read  int64
}

func (p *patched) ReadAt(b []byte, offset int64) (int, error) {
	n, err := p.ReaderAt.ReadAt(b, offset)
	for at, v := range p.bytes {
		if at >= offset && at < offset+int64(n) {
			b[at-offset] = v
		}
	}
	p.read += int64(n)
	return n, err
}

// landmarks returns positions in the file near which a change matters.
func landmarks(f io.ReaderAt) ([]int64, error) {
	img, err := openImage(f)
	if err != nil {
		return nil, err
	}
	var shoff [8]byte
	if err := img.readAt(shoff[:], 0x28); err != nil {
		return nil, err
	}
	at := []int64{0, int64(binary.LittleEndian.Uint64(shoff[:]))}
	for _, name := range []string{".go.buildinfo", ".gopclntab", ".go.module", ".shstrtab", ".debug_info", ".debug_abbrev"} {
		if s, ok := img.section(name); ok {
			at = append(at, int64(s.offset))
		}
	}
	if t, err := img.openFunctionTable(); err == nil {
		at = append(at, int64(t.names.start), int64(t.index.start), int64(t.index.start+t.index.size))
	}
	return at, nil
}

// FuzzInspect changes bytes of a real executable, the test's own: each four
// bytes of input are the number of a landmark, a distance from it, and a value.
func FuzzInspect(f *testing.F) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { self.Close() })
	marks, err := landmarks(self)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	for i := range marks {
		for distance := range 72 {
			f.Add([]byte{byte(i), byte(distance), 0, 0xff})
		}
	}
	// No version of the table: the debug information is asked.
	f.Add([]byte{2, 36, 0, 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		file := &patched{ReaderAt: self, bytes: map[int64]byte{}}
		for ; len(data) >= 4 && len(file.bytes) < 64; data = data[4:] {
			mark := marks[int(data[0])%len(marks)]
			file.bytes[mark+int64(binary.LittleEndian.Uint16(data[1:]))] = data[3]
		}
		info, err := Inspect(file)
		if err != nil && !errors.Is(err, ErrNotGo) {
			t.Errorf("an error that is not ErrNotGo: %v", err)
		}
		if err != nil && info != (Info{}) {
			t.Errorf("both %v and %+v", err, info)
		}
		if file.read > maxRead {
			t.Errorf("%d bytes read", file.read)
		}
	})
}

// FuzzDebugInfo reads sections of debug information that are anything.
func FuzzDebugInfo(f *testing.F) {
	info, abbrev := smallUnit("runtime", 152)
	f.Add(info, abbrev)
	nested := append(bytes.Repeat([]byte{2}, 200), abbrev...)
	f.Add(append(info, nested...), abbrev)
	f.Fuzz(func(t *testing.T, info, abbrev []byte) {
		img := imageOf(section{name: ".debug_info"}, info, section{name: ".debug_abbrev"}, abbrev)
		l, err := img.debugLayout()
		if err != nil && !errors.Is(err, errMalformed) {
			t.Errorf("an error that is not errMalformed: %v", err)
		}
		if err != nil && l != (layout{}) {
			t.Errorf("both %v and %+v", err, l)
		}
	})
}
