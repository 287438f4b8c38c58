// SPDX-License-Identifier: Apache-2.0

// Package record stores what the kernel reported, to be handled again: for
// tests that guard the ABI, and to turn what went wrong in the field into a
// fixture.
//
// A recording is a file of frames: one byte of kind, four of length (little
// endian), then as many bytes. The first is the magic's, the second a [Header].
// Data and control frames are ring-buffer records as the kernel made them, but
// for what [Masker] takes out of them; the others are what user space learned
// elsewhere and when: how far a quiet direction got, what a process is called,
// what the clock said. Frames are in the order in which the agent acted.
package record

import (
	"encoding/json"
	"errors"

	"github.com/tracer-agent/tracer-agent/internal/link"
)

// Version is the version of the file format that this package writes and reads.
const Version = 1

const magic = "tracer-agent recording\n"

// Kind says what a frame is.
type Kind uint8

const (
	kindMagic    Kind = iota
	kindHeader        // Header as JSON
	KindData          // a record of the data ring
	KindControl       // a record of the control ring
	KindTarget        // Target as JSON: what a process is called from now on
	KindProgress      // Progress: an answer of the kernel's, before what asked for it
	KindClock         // one number: wall clock minus monotonic clock from now on, nanoseconds
	KindPoll          // quiet directions were looked at
	KindSweep         // one number: idle connections were looked at at this ktime
	KindTick          // one number: held spans were looked at at this ktime
	KindEnd           // the agent ended in good order
	kindCount
)

// maxFrame bounds what a reader allocates for one frame: the largest record and
// its header fit many times.
const maxFrame = 1 << 20

// ErrFormat wraps every error about what a file holds.
var ErrFormat = errors.New("bad recording")

// Header says where a recording is from.
type Header struct {
	Version int             // of the format
	ABI     int             // version of the records
	Agent   string          // version of the agent
	Kernel  string          // release
	Arch    string          // machine, as uname says it
	Backend string          // that made the records
	Started string          // wall-clock time, RFC 3339
	Config  json.RawMessage // what spans depend on; the package does not look at it
}

// Progress is how far a quiet direction got.
type Progress struct {
	Conn, Dir  uint64
	Pos, Ktime uint64
}

// Target is what the spans of a process have in common.
type Target struct {
	TGID     uint32
	Gone     bool              // not traced any more; the rest is empty
	Resource map[string]string // attributes, texts
	Numbers  map[string]int64  // attributes, integers
	Lists    map[string][]string
	Routes   []string // patterns
	Program  link.Program
}
