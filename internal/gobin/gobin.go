// SPDX-License-Identifier: Apache-2.0

// Package gobin tells what the kernel programs must know of a Go executable to
// read, without changing it, which goroutine is running and on whose behalf an
// HTTP connection writes: where a thread keeps its goroutine, where fields lie
// that the Go runtime and net/http do not promise to keep in place, and where
// one function begins.
//
// What a field's place is follows from the Go release that built the
// executable, and stands in a table that was read from debug information (see
// gen). Of releases that are not in the table the executable's own debug
// information is asked. If there is none, the places stay unknown: nothing is
// ever guessed.
//
// The file belongs to whoever is watched and may be made to mislead. Reads are
// bounded in size and number, nothing panics, and a file that lies about
// itself misleads only about itself.
package gobin

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNotGo says that a file is not a Go executable for 64-bit Linux on amd64 or
// arm64, or not one that can be read. It is wrapped with what was amiss.
var ErrNotGo = errors.New("not a Go executable")

// Info is what Inspect found. Each part that is zero is unknown, or absent in
// this executable; the others are valid nevertheless.
type Info struct {
	// Version is the Go release as the build information has it: "go1.26.8".
	Version string
	// G has the places of fields in the runtime's record of a goroutine.
	G GLayout
	// TLS is where an amd64 thread keeps the address of its running goroutine,
	// in bytes from the thread's FS base: -8 as a rule. It is 0 on arm64, where
	// register R28 holds the address, and where it is unknown.
	TLS int32
	// RoundTrip is the offset in the file of the first instruction of
	// net/http.(*persistConn).roundTrip, whose first argument, in the first
	// register, is the *persistConn. A call passes it twice if the stack has to
	// grow first. It is 0 if the executable does not contain the function, or if
	// Conn is unknown.
	RoundTrip uint64
	// Conn leads from a *persistConn to its file descriptor.
	Conn ConnLayout
}

// GLayout has the places of fields of runtime.g, in bytes from its start. Both
// fields are unsigned 64-bit numbers. The zero GLayout is an unknown one.
//
// The record begins, in every release, with the bounds of the goroutine's stack,
// two addresses, the lower first. Where the stack pointer is not between them,
// or Goid is 0, the thread runs no goroutine at this moment: it schedules, or
// has called C. On arm64 register R28 may then hold anything.
type GLayout struct {
	Goid uint16
	// ParentGoid is the id of the goroutine that started this one. It is 0
	// before Go 1.21, which did not keep it.
	ParentGoid uint16
}

// ConnLayout has the way from a *net/http.persistConn to the descriptor of its
// socket:
//
//	itab, data := *(pc + Conn), *(pc + Conn + 8)   // an interface, net.Conn
//	hash := *(uint32 *)(itab + ItabHash)           // of the type behind it
//	if hash is TCPConn, UnixConn:  fd := *data     // *net.netFD
//	if hash is TLSConn:            the same again with the interface at data
//	descriptor := *(int64 *)(fd + Sysfd)
//
// Any other hash is of a type that this package knows nothing of. The zero
// ConnLayout is an unknown one.
type ConnLayout struct {
	Conn     uint16 // of persistConn.conn in net/http.persistConn
	Sysfd    uint16 // of pfd.Sysfd in net.netFD
	ItabHash uint16 // of the type's hash in an itab
	TCPConn  uint32 // the hash of *net.TCPConn
	UnixConn uint32 // the hash of *net.UnixConn
	TLSConn  uint32 // the hash of *crypto/tls.Conn, which begins with its net.Conn
}

// InspectFile inspects the file at path, for example /proc/PID/exe. See
// Inspect.
func InspectFile(path string) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, fmt.Errorf("open executable: %w", err)
	}
	defer f.Close()
	return Inspect(f)
}

// Inspect tells of the executable that r holds. The error wraps ErrNotGo if it
// is not a Go executable, or whatever r returned; what is merely unknown about
// a Go executable is no error.
//
// It reads some per cent of the file, a few megabytes for a large one, and so
// may block for as long as r does. It keeps nothing, and may be called by
// several goroutines at once.
func Inspect(r io.ReaderAt) (Info, error) {
	img, err := openImage(r)
	if err != nil {
		return Info{}, err
	}
	version, err := img.goVersion()
	if err != nil {
		return Info{}, err
	}
	info := Info{Version: version}
	known, err := img.layoutOf(version)
	if err != nil && !errors.Is(err, errMalformed) {
		return Info{}, err
	}
	info.G, info.Conn = known.g, known.conn
	if err := img.fillFromFunctions(&info); err != nil {
		return Info{}, err
	}
	return info, nil
}

// fillFromFunctions fills in what the code of the executable tells. Tables that
// cannot be read leave it unknown.
func (img *image) fillFromFunctions(info *Info) error {
	const roundTrip, switchesStack = "net/http.(*persistConn).roundTrip", "runtime.morestack"
	found, err := img.functions(roundTrip, switchesStack)
	if errors.Is(err, errMalformed) {
		return nil
	}
	if err != nil {
		return err
	}
	if addr, ok := found[roundTrip]; ok && info.Conn != (ConnLayout{}) {
		info.RoundTrip, _ = img.fileOffset(addr)
	}
	if addr, ok := found[switchesStack]; ok && img.machine == machineAMD64 {
		info.TLS = img.tlsOffset(addr)
	}
	return nil
}
