// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// dropCode unmaps the pages of the program's code and constants. Those that are
// used again come back from the page cache; the larger part was for starting
// only. Mappings that can be written, or were, are left alone: nothing is lost.
func dropCode() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	// Its lines: proc_pid_smaps(5).
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("read mappings: %w", err)
	}
	mapping := "" // that the lines are about, if it is one of the program
	for line := range strings.Lines(string(maps)) {
		switch fields := strings.Fields(line); {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			mapping = ""
			if len(fields) == 6 && fields[5] == program && (fields[1] == "r-xp" || fields[1] == "r--p") {
				mapping = fields[0]
			}
		case mapping != "" && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			if err := dropMapping(mapping); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropMapping unmaps the pages of a mapping, given as the kernel writes it.
func dropMapping(mapping string) error {
	from, to, _ := strings.Cut(mapping, "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("parse mapping %q", mapping)
	}
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), unix.MADV_DONTNEED); errno != 0 {
		return fmt.Errorf("give back mapping %q: %w", mapping, errno)
	}
	return nil
}
