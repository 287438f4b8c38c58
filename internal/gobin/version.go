// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
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

// layoutOf returns what is known of a version: by the table or, if that does
// not have it, by the debug information.
func (img *image) layoutOf(version string) (layout, error) {
	minor, released := release(version)
	l, known := layouts(minor)
	if !released || !known {
		var err error
		if l, err = img.debugLayout(); err != nil {
			return layout{}, err
		}
		// Debug information does not tell the hashes of types: they are taken
		// from the newest release. Should another compute them differently, no
		// type is recognised, and nothing is believed that is not so.
		newest, _ := layouts(newestMinor)
		l.conn.TCPConn, l.conn.UnixConn, l.conn.TLSConn = newest.conn.TCPConn, newest.conn.UnixConn, newest.conn.TLSConn
	}
	if l.conn.Conn == 0 || !registerArguments(minor, img.machine) {
		l.conn = ConnLayout{}
	}
	return l, nil
}

// registerArguments says whether functions take their arguments in registers
// (Go 1.17, 1.18 release notes).
func registerArguments(minor int, machine elf.Machine) bool {
	return minor >= 18 || minor == 17 && machine == machineAMD64
}

// release returns N of a version that begins with go1.N, and whether it is one
// of the plain releases go1.N or go1.N.P. Anything else (betas, development,
// changed toolchains) may have layouts of its own.
func release(version string) (minor int, plain bool) {
	rest, plain := strings.CutPrefix(version, "go1.")
	if !plain {
		_, rest, _ = strings.Cut(version, "devel go1.")
	}
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	minor, err := strconv.Atoi(rest[:digits])
	if err != nil {
		return 0, false
	}
	patch, suffix := rest[digits:], ""
	if i := strings.IndexAny(patch, " -"); i >= 0 {
		patch, suffix = patch[:i], patch[i+1:]
	}
	if patch != "" && (patch[0] != '.' || len(patch) == 1 || strings.Trim(patch[1:], "0123456789") != "") {
		plain = false
	}
	return minor, plain && harmless(suffix)
}

// harmless says whether a release with this suffix, which follows a space or,
// since Go 1.26, a hyphen, has the same layouts as without: what a distributor
// adds in parentheses, and experiments that TestExperiments has seen to change
// none.
func harmless(suffix string) bool {
	distributor, experiments, has := strings.Cut(suffix, "X:")
	distributor = strings.TrimSpace(distributor)
	if distributor != "" && !(strings.HasPrefix(distributor, "(") && strings.HasSuffix(distributor, ")")) {
		return false
	}
	for _, e := range strings.Split(experiments, ",") {
		if has && !slices.Contains(harmlessExperiments(), e) {
			return false
		}
	}
	return true
}

func harmlessExperiments() []string {
	return []string{"boringcrypto", "nocoverageredesign"}
}
