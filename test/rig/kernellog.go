// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
)

// KernelLog reads what the kernel logs from a moment on.
type KernelLog struct{ file int }

// trouble is what a kernel writes that is not well, or that misses a deadline.
var trouble = regexp.MustCompile(`WARNING|BUG[: ]|Oops|Call Trace|general protection|stall|hung task|blocked for more than|soft lockup|hard LOCKUP|refcount_t|use-after-free|[Oo]ut of memory|oom-kill`)

// OpenKernelLog begins at the log's end. The caller must Close it.
func OpenKernelLog() (*KernelLog, error) {
	fd, err := syscall.Open("/dev/kmsg", syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the kernel's log: %w", err)
	}
	if _, err := syscall.Seek(fd, 0, io.SeekEnd); err != nil {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("seek the kernel's log: %w", err)
	}
	return &KernelLog{file: fd}, nil
}

// Close frees the log.
func (l *KernelLog) Close() error { return os.NewSyscallError("close", syscall.Close(l.file)) }

// Trouble returns the messages since the last call that tell of trouble.
func (l *KernelLog) Trouble() ([]string, error) {
	var found []string
	buf := make([]byte, 16<<10)
	for {
		n, err := syscall.Read(l.file, buf)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return found, nil
		case errors.Is(err, syscall.EPIPE): // messages were overwritten: the next read goes on after them
			continue
		case err != nil:
			return found, fmt.Errorf("read the kernel's log: %w", err)
		}
		// One record: "priority,number,time,flags;text", then lines of details.
		_, text, _ := strings.Cut(string(buf[:n]), ";")
		text, _, _ = strings.Cut(text, "\n")
		if trouble.MatchString(text) {
			found = append(found, text)
		}
	}
}
