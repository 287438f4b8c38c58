// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"math/bits"
	"testing"
)

// TestNoteLines: each task below the limit has a place of its own.
func TestNoteLines(t *testing.T) {
	const perLine = 32
	for _, c := range []struct{ tasks, lines uint32 }{
		{0, 1}, {1, 1}, {32, 1}, {33, 2}, {65, 4}, {301, 16}, {32768, 1024}, {32769, 2048}, {4194304, 131072},
	} {
		lines := noteLines(c.tasks, perLine)
		if lines != c.lines {
			t.Errorf("%d lines for %d tasks, want %d", lines, c.tasks, c.lines)
		}
		if last := max(c.tasks, 1) - 1; last>>bits.Len32(lines-1) >= perLine {
			t.Errorf("task %d of %d has no place in %d lines", last, c.tasks, lines)
		}
	}
}

// TestTaskLimit reads this machine's.
func TestTaskLimit(t *testing.T) {
	n, err := taskLimit()
	if err != nil || n < 301 || n > 1<<22 { // RESERVED_PIDS and PID_MAX_LIMIT, kernel/pid.c
		t.Errorf("%d tasks, %v", n, err)
	}
}
