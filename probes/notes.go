// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
)

// taskLimit returns how many tasks this machine can have: their numbers are below.
func taskLimit() (uint32, error) {
	const file = "/proc/sys/kernel/pid_max"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("find out how many tasks there can be: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 23) // at most PID_MAX_LIMIT, 1 << 22
	if err != nil {
		return 0, fmt.Errorf("find out how many tasks there can be: %s: %w", file, err)
	}
	return uint32(n), nil
}

// noteLines returns how many lines of notes, each about perLine tasks, there must
// be for tasks: a power of two, so that a task's number tells its line by its lower
// bits, and its place there by the others. A task beyond gets no note, and its
// stand-ins work for it.
func noteLines(tasks, perLine uint32) uint32 {
	last := (max(tasks, 1) - 1) / perLine
	return 1 << bits.Len32(last)
}
