// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

// ErrStopped is what Next returns after Stop, once the ring is empty.
var ErrStopped = errors.New("ring reader stopped")

// Ring reads one of the BPF ring buffers. All methods but Stop and Waiting are for one goroutine.
type Ring struct {
	r        *ringbuf.Reader
	rec      ringbuf.Record
	deadline time.Time // as r has it
}

// DataRing opens the ring of connection events, in kernel order.
func (p *Probes) DataRing() (*Ring, error) { return p.ring("data_ring") }

// ControlRing opens the ring of process and listen events.
func (p *Probes) ControlRing() (*Ring, error) { return p.ring("control_ring") }

func (p *Probes) ring(name string) (*Ring, error) {
	r, err := ringbuf.NewReader(p.coll.Maps[name])
	if err != nil {
		return nil, fmt.Errorf("open ring %s: %w", name, err)
	}
	return &Ring{r: r}, nil
}

// Next returns the next record, valid until the next call. It waits until
// deadline (the zero time: for ever) and returns nil without an error when it
// passes with the ring empty, ErrStopped after Stop.
func (r *Ring) Next(deadline time.Time) ([]byte, error) {
	if deadline != r.deadline { // setting it takes a lock
		r.r.SetDeadline(deadline)
		r.deadline = deadline
	}
	err := r.r.ReadInto(&r.rec)
	switch {
	case err == nil:
		return r.rec.RawSample, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil
	case errors.Is(err, ringbuf.ErrFlushed):
		return nil, ErrStopped
	}
	return nil, fmt.Errorf("read ring: %w", err)
}

// Ready returns the next record if there is one, without waiting or a system call.
func (r *Ring) Ready() ([]byte, error) {
	if r.r.AvailableBytes() == 0 {
		return nil, nil
	}
	return r.Next(time.Time{})
}

// Waiting says whether there is a record that Next has not returned. Safe to
// call while another goroutine is in Next.
func (r *Ring) Waiting() bool { return r.r.AvailableBytes() > 0 }

// Fill returns which part of the ring is in use, 0 to 1.
func (r *Ring) Fill() float64 {
	return float64(r.r.AvailableBytes()) / float64(r.r.BufferSize())
}

// Stop makes Next return what is in the ring and then ErrStopped, once. Safe
// to call while another goroutine is in Next.
func (r *Ring) Stop() error {
	if err := r.r.Flush(); err != nil {
		return fmt.Errorf("stop ring: %w", err)
	}
	return nil
}

// Close frees the ring's memory. No other method may be running or follow.
func (r *Ring) Close() error { return r.r.Close() }
