// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// The build information begins with 32 bytes: a magic, the size of a pointer,
// flags (see debug/buildinfo).
const (
	buildMagic      = "\xff Go buildinf:"
	buildHeader     = 32
	buildInline     = 2 // flag: the strings follow the header
	maxVersionBytes = 128
)

// goVersion returns the Go release that built the executable.
func (img *image) goVersion() (string, error) {
	s, ok := img.section(".go.buildinfo")
	if !ok {
		return "", fmt.Errorf("%w: no build information", ErrNotGo)
	}
	h := make([]byte, buildHeader)
	if err := img.readAt(h, s.offset); err != nil {
		return "", notGo(err)
	}
	if string(h[:len(buildMagic)]) != buildMagic {
		return "", fmt.Errorf("%w: build information of an unknown form", ErrNotGo)
	}
	version, err := img.buildString(h, s)
	if err != nil {
		return "", notGo(err)
	}
	if version == "" {
		return "", fmt.Errorf("%w: build information without a version", ErrNotGo)
	}
	return version, nil
}

// buildString reads the first string of the build information: since Go 1.18
// it follows the header, before a pointer there led to it.
func (img *image) buildString(header []byte, s section) (string, error) {
	if header[15]&buildInline == 0 {
		return img.buildStringByPointer(s.addr + 16)
	}
	length := make([]byte, 2)
	if err := img.readAt(length, s.offset+buildHeader); err != nil {
		return "", err
	}
	n, used := binary.Uvarint(length)
	if used <= 0 || n > maxVersionBytes {
		return "", fmt.Errorf("%w: its version is too long", errMalformed)
	}
	p := make([]byte, n)
	err := img.readAt(p, s.offset+buildHeader+uint64(used))
	return string(p), err
}

func (img *image) buildStringByPointer(addr uint64) (string, error) {
	str, err := img.pointerAt(addr)
	if err != nil {
		return "", err
	}
	data, err := img.pointerAt(str)
	if err != nil {
		return "", err
	}
	n, err := img.uint64At(str + 8)
	if err != nil {
		return "", err
	}
	if n > maxVersionBytes {
		return "", fmt.Errorf("%w: its version is too long", errMalformed)
	}
	p := make([]byte, n)
	err = img.readMemory(p, data)
	return string(p), err
}

// layout is what one release says of one machine.
type layout struct {
	g    GLayout
	conn ConnLayout
}

// layoutOf returns the table's line for a version, false if it has none.
func layoutOf(version string, machine elf.Machine) (layout, bool) {
	minor, ok := release(version)
	if !ok {
		return layout{}, false
	}
	known, ok := layouts(minor)
	if machine == machineARM64 && minor < 18 {
		known.conn = ConnLayout{} // its functions take their arguments on the stack
	}
	return known, ok
}

// release returns N of a version go1.N or go1.N.P. Anything else (betas,
// development, changed toolchains) may have layouts of its own. Two things
// change none: what a distributor adds in parentheses, and the experiment of
// another cryptography.
func release(version string) (minor int, ok bool) {
	number, rest, _ := strings.Cut(version, " ")
	if rest != "" && rest != "X:boringcrypto" && (rest[0] != '(' || !strings.HasSuffix(rest, ")")) {
		return 0, false
	}
	number, ok = strings.CutPrefix(number, "go1.")
	if !ok {
		return 0, false
	}
	first, patch, patched := strings.Cut(number, ".")
	if patched && !isNumber(patch) || !isNumber(first) {
		return 0, false
	}
	minor, err := strconv.Atoi(first)
	return minor, err == nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// unknownLayout asks the debug information instead of the table. It does not
// tell the hashes of types: they are taken from the newest release that is
// known. Should another release compute them differently, no type will be
// recognised, and nothing is believed that is not so.
func (img *image) unknownLayout() (layout, error) {
	l, err := img.debugLayout()
	if newest, ok := layouts(newestMinor); ok && l.conn != (ConnLayout{}) {
		l.conn.TCPConn, l.conn.UnixConn, l.conn.TLSConn = newest.conn.TCPConn, newest.conn.UnixConn, newest.conn.TLSConn
	}
	return l, err
}
