// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// procStat is the part of /proc/PID/stat that identifies a process and the
// program in it (proc_pid_stat(5)).
type procStat struct {
	state byte
	ppid  uint32
	flags uint64
	start uint64 // clock ticks after boot
	// stack is the address of the bottom of the stack. Randomised at each
	// exec and kept by fork, it tells program instances apart. 0 if it may
	// not be read.
	stack uint64
}

// Of the kernel's task flags (include/linux/sched.h).
const (
	pfExiting = 0x00000004
	pfKThread = 0x00200000
)

// ended tells whether it is only the remains of a process: a zombie, or one on its
// way there, which has lost its executable, its memory and its files one after the
// other. When the kernel tells of the end of a process it is so already.
func (s procStat) ended() bool {
	return s.flags&pfExiting != 0 || s.state == 'Z' || s.state == 'X' || s.state == 'x'
}

func (s procStat) kernelThread() bool { return s.flags&pfKThread != 0 }

var errBadStat = errors.New("malformed stat")

// Field numbers of proc_pid_stat(5).
const (
	statPPID  = 4
	statFlags = 9
	statStart = 22
	statStack = 28
)

// parseStat parses one stat line. The command name may hold any byte,
// parentheses too, so the fields are counted from the last parenthesis.
func parseStat(line []byte) (procStat, error) {
	_, rest, ok := bytes.Cut(line, []byte{'('})
	end := bytes.LastIndexByte(rest, ')')
	if !ok || end < 0 {
		return procStat{}, errBadStat
	}
	var st procStat
	field := 2
	for value := range bytes.FieldsSeq(rest[end+1:]) {
		field++
		if field == 3 {
			st.state = value[0]
			continue
		}
		if err := st.set(field, value); err != nil {
			return procStat{}, err
		}
		if field == statStack {
			return st, nil
		}
	}
	return procStat{}, fmt.Errorf("%w: %d fields", errBadStat, field)
}

func (s *procStat) set(field int, value []byte) error {
	var target *uint64
	var ppid uint64
	switch field {
	case statPPID:
		target = &ppid
	case statFlags:
		target = &s.flags
	case statStart:
		target = &s.start
	case statStack:
		target = &s.stack
	default:
		return nil
	}
	n, err := strconv.ParseUint(string(value), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: field %d", errBadStat, field)
	}
	*target = n
	if field == statPPID {
		s.ppid = uint32(n)
	}
	return nil
}
