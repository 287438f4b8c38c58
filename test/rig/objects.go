// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Objects are BPF objects by id.
type Objects struct {
	Programs, Maps, Links map[int]bool
}

func newObjects() Objects {
	return Objects{Programs: map[int]bool{}, Maps: map[int]bool{}, Links: map[int]bool{}}
}

// Len is the number of all objects.
func (o Objects) Len() int { return len(o.Programs) + len(o.Maps) + len(o.Links) }

// String lists the ids by kind.
func (o Objects) String() string {
	return fmt.Sprintf("programs %v, maps %v, links %v", ids(o.Programs), ids(o.Maps), ids(o.Links))
}

func ids(set map[int]bool) []int {
	var list []int
	for id := range set {
		list = append(list, id)
	}
	return list
}

// And returns the objects that are in both.
func (o Objects) And(other Objects) Objects {
	both := newObjects()
	for _, pair := range []struct{ out, x, y map[int]bool }{
		{both.Programs, o.Programs, other.Programs}, {both.Maps, o.Maps, other.Maps}, {both.Links, o.Links, other.Links},
	} {
		for id := range pair.x {
			if pair.y[id] {
				pair.out[id] = true
			}
		}
	}
	return both
}

// HeldObjects returns the objects that processes have open, programs also
// through links. The kernel tells them in /proc/PID/fdinfo.
func HeldObjects(pids []int) Objects {
	o := newObjects()
	fields := map[string]map[int]bool{"prog_id:": o.Programs, "map_id:": o.Maps, "link_id:": o.Links}
	for _, pid := range pids {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		for _, file := range files {
			text, _ := os.ReadFile(file) // closed since: holds nothing
			for line := range strings.Lines(string(text)) {
				words := strings.Fields(line)
				if len(words) != 2 || fields[words[0]] == nil {
					continue
				}
				if id, err := strconv.Atoi(words[1]); err == nil {
					fields[words[0]][id] = true
				}
			}
		}
	}
	return o
}

// Commands of bpf(2) that list ids (enum bpf_cmd).
const (
	progGetNextID = 11
	mapGetNextID  = 12
	linkGetNextID = 31 // since Linux 5.8
)

// LoadedObjects returns all objects of the kernel, whoever loaded them.
func LoadedObjects() (Objects, error) {
	o := newObjects()
	for _, kind := range []struct {
		cmd uintptr
		set map[int]bool
	}{{progGetNextID, o.Programs}, {mapGetNextID, o.Maps}, {linkGetNextID, o.Links}} {
		// The first three members of union bpf_attr for *_GET_NEXT_ID.
		attr := struct{ start, next, flags uint32 }{}
		for {
			_, _, errno := unix.Syscall(unix.SYS_BPF, kind.cmd, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
			if errno == unix.ENOENT {
				break
			}
			if errno != 0 {
				return Objects{}, fmt.Errorf("list BPF objects (command %d): %w", kind.cmd, errno)
			}
			kind.set[int(attr.next)] = true
			attr.start = attr.next
		}
	}
	return o, nil
}
