// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxWatched bounds the directories that are watched.
const maxWatched = 1 << 14

// cgroupWatch hears of new directories in the cgroup hierarchy (inotify(7)), so
// that a container's cgroup is selected before its first process runs a program:
// a runtime makes the cgroup, moves a process of its own there, and that one
// executes. The zero value watches nothing.
type cgroupWatch struct {
	mu   sync.Mutex
	file *os.File         // nil: not open
	fd   int              // of file, whose Fd method would make reads block a thread
	dirs map[int32]string // by watch descriptor
	lost uint64           // directories that could not be watched
}

// open begins to watch. It may be called again.
func (w *cgroupWatch) open() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		return nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch cgroups: %w", err)
	}
	w.fd, w.file, w.dirs = fd, os.NewFile(uintptr(fd), "inotify"), map[int32]string{}
	return nil
}

// add watches a directory, if it is open. What cannot be watched is found by
// the next rescan.
func (w *cgroupWatch) add(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return
	}
	if len(w.dirs) >= maxWatched {
		w.lost++
		return
	}
	wd, err := unix.InotifyAddWatch(w.fd, dir, unix.IN_CREATE|unix.IN_ONLYDIR)
	if err != nil {
		w.lost++
		return
	}
	w.dirs[int32(wd)] = dir
}

// run calls made with each new directory until ctx is done.
func (w *cgroupWatch) run(ctx context.Context, made func(dir string)) {
	w.mu.Lock()
	file := w.file
	w.mu.Unlock()
	if file == nil {
		return
	}
	stop := context.AfterFunc(ctx, w.close)
	defer stop()
	buf := make([]byte, 16<<10)
	for {
		n, err := file.Read(buf)
		if err != nil {
			return // closed
		}
		for _, dir := range w.events(buf[:n]) {
			made(dir)
		}
	}
}

func (w *cgroupWatch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// events returns the directories that were made.
func (w *cgroupWatch) events(buf []byte) []string {
	const header = int(unsafe.Sizeof(unix.InotifyEvent{}))
	w.mu.Lock()
	defer w.mu.Unlock()
	var made []string
	for len(buf) >= header {
		wd := int32(binary.NativeEndian.Uint32(buf))
		mask := binary.NativeEndian.Uint32(buf[4:])
		end := header + int(binary.NativeEndian.Uint32(buf[12:]))
		name, _, _ := bytes.Cut(buf[header:end], []byte{0})
		buf = buf[end:]
		switch {
		case mask&unix.IN_IGNORED != 0:
			delete(w.dirs, wd)
		case mask&unix.IN_CREATE != 0 && mask&unix.IN_ISDIR != 0:
			made = append(made, filepath.Join(w.dirs[wd], string(name)))
		}
	}
	return made
}

// newCgroup selects a directory that was made and what is in it by now.
func (d *Discovery) newCgroup(dir string) {
	if err := d.walkCgroups(dir); err != nil && !os.IsNotExist(err) {
		d.opts.Log.Debug("new cgroup not looked at", "cgroup", dir, "error", err)
	}
}
