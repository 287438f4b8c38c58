// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Clock turns the kernel's monotonic times into wall-clock time. One goroutine.
type Clock struct {
	offset int64 // wall clock minus monotonic, nanoseconds
}

// NewClock returns a synchronised Clock.
func NewClock() (*Clock, error) {
	c := &Clock{}
	return c, c.Sync()
}

// Sync measures the offset anew. Called about once a second, it follows steps
// and slewing of the wall clock; a span is converted with one offset, so that
// its duration is the monotonic one.
func (c *Clock) Sync() error {
	best := int64(-1)
	for range 3 {
		var before, wall, after unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
			return fmt.Errorf("read monotonic clock: %w", err)
		}
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
			return fmt.Errorf("read wall clock: %w", err)
		}
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &after); err != nil {
			return fmt.Errorf("read monotonic clock: %w", err)
		}
		// The reading least disturbed by preemption is the best one.
		if width := after.Nano() - before.Nano(); best < 0 || width < best {
			best = width
			c.offset = wall.Nano() - before.Nano() - width/2
		}
	}
	return nil
}

// Offset returns what was measured last: wall clock minus monotonic clock, nanoseconds.
func (c *Clock) Offset() int64 { return c.offset }

// Set has offset stand for a measurement.
func (c *Clock) Set(offset int64) { c.offset = offset }

// Wall converts a CLOCK_MONOTONIC time to nanoseconds since the Unix epoch.
func (c *Clock) Wall(ktime uint64) int64 { return int64(ktime) + c.offset }

// Monotonic returns the current CLOCK_MONOTONIC time, nanoseconds.
func Monotonic() uint64 {
	var ts unix.Timespec
	// It cannot fail for a clock that exists (clock_gettime(2)).
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return uint64(ts.Nano())
}
