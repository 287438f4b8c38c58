// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/probes"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

const (
	// maxHold bounds how many records are handled while a scrape of the metrics waits.
	maxHold = 256
	// fullEnough is how full the data ring may get before batching stops.
	fullEnough = 0.25
	// busyTick and idleTick are the pauses between looks at bodies that the
	// kernel only counts. A wake-up costs more than the look.
	busyTick = 100 * time.Millisecond
	idleTick = 500 * time.Millisecond
	// sweepEvery is the time between looks at idle connections and the clock.
	sweepEvery = time.Second
)

// controlNice is the niceness of the thread that judges processes. It has little
// to do, and a new process on a busy machine does not wait for its verdict.
const controlNice = -15

// readControl handles process events as they come: a verdict that is late by a
// batch interval would cost a new process its first request. It closes prepared
// when it has done what needs a capability.
func (a *Agent) readControl(prepared chan<- struct{}) error {
	runtime.LockOSThread() // not unlocked: the thread ends with the goroutine, niceness and all
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, controlNice); err != nil {
		a.log.Debug("niceness not set", "error", err)
	}
	close(prepared)
	defer a.pipeline.silent.Store(true)
	for {
		b, err := a.control.Next(time.Time{})
		if errors.Is(err, probes.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		a.pipeline.control(b)
	}
}

// readData handles connection events in batches. The kernel wakes the reader
// only when the ring was empty, so a pause after the wake-up costs latency but
// saves the application a wake-up for each record.
func (a *Agent) readData(ctx context.Context) error {
	var due time.Time // for ever
	for {
		b, err := a.data.Next(due)
		if b != nil {
			a.pipeline.mu.Lock()
			a.pipeline.record(b)
			a.pipeline.mu.Unlock()
			a.pause(ctx)
			err = a.batch()
		}
		due = a.settle()
		if errors.Is(err, probes.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// keepTime does what is due regularly, until ctx is done.
func (a *Agent) keepTime(ctx context.Context) error {
	timer := time.NewTimer(idleTick)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			next, err := a.tick()
			if err != nil {
				return err
			}
			timer.Reset(next)
		}
	}
}

// settleEvery is the time between looks at spans that wait for news of their trace.
const settleEvery = 25 * time.Millisecond

// settle lets go the spans that have waited long enough, and says when to look
// again: never, if none waits.
func (a *Agent) settle() (due time.Time) {
	a.pipeline.mu.Lock()
	defer a.pipeline.mu.Unlock()
	if a.pipeline.settle(spanbuilder.Monotonic()) {
		due = time.Now().Add(settleEvery)
	}
	return due
}

// pause lets records gather, unless the ring already fills up.
func (a *Agent) pause(ctx context.Context) {
	if a.data.Fill() > fullEnough {
		return
	}
	timer := time.NewTimer(a.cfg.Kernel.BatchInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// batch handles what is in the ring.
func (a *Agent) batch() error {
	for {
		more, err := a.some()
		if err != nil || !more {
			return err
		}
	}
}

// some handles up to maxHold records and says whether there may be more.
func (a *Agent) some() (more bool, err error) {
	a.pipeline.mu.Lock()
	defer a.pipeline.mu.Unlock()
	for range maxHold {
		b, err := a.data.Ready()
		if err != nil || b == nil {
			return false, err
		}
		a.pipeline.record(b)
	}
	return true, nil
}

// tick does what is due, and says when it is due again: soon if the kernel is
// counting bytes of a body whose end nothing else would tell.
func (a *Agent) tick() (next time.Duration, err error) {
	p := a.pipeline
	p.mu.Lock()
	defer p.mu.Unlock()
	p.poll()
	p.tape.flush()
	if now := time.Now(); now.Sub(p.swept) >= sweepEvery {
		p.swept = now
		if err := p.sweep(spanbuilder.Monotonic()); err != nil {
			return 0, err
		}
	}
	if p.table.Quiet() > 0 {
		return busyTick, nil
	}
	return idleTick, nil
}
