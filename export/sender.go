// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"time"
)

// sender is the one goroutine that takes spans out of a Queue and exports
// them.
type sender struct {
	q       *Queue
	batch   []*Span
	backoff backoff
	health  health
}

func newSender(q *Queue) *sender {
	return &sender{
		q:       q,
		batch:   make([]*Span, 0, q.cfg.BatchSpans),
		backoff: backoff{initial: q.cfg.RetryInitial, limit: q.cfg.RetryMax},
		health:  health{log: q.log},
	}
}

// run sends batches until the queue is closed and empty, or ctx is cancelled.
func (d *sender) run(ctx context.Context) {
	defer close(d.q.done)
	for d.fill(ctx) {
		rest := d.batch
		for len(rest) > 0 {
			n := prefix(rest, d.q.cfg.BatchBytes)
			if !d.deliver(ctx, rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// fill waits for a batch and takes it. It returns false when there is nothing
// more to send.
func (d *sender) fill(ctx context.Context) bool {
	n, closed := d.state()
	for n == 0 && !closed {
		select {
		case <-d.q.wake:
		case <-d.q.closing:
		}
		n, closed = d.state()
	}
	if n < d.q.cfg.BatchSpans && !closed {
		d.linger()
	}
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	clear(d.batch) // a recycled span must not be reachable from here
	d.batch = d.q.ring.take(d.batch[:0], d.q.cfg.BatchSpans)
	d.q.inFlight = len(d.batch)
	return len(d.batch) > 0 && ctx.Err() == nil
}

// linger gives the batch time to fill.
func (d *sender) linger() {
	delay := time.NewTimer(d.q.cfg.BatchDelay)
	defer delay.Stop()
	for {
		select {
		case <-d.q.wake: // a full batch, or a token left over from an earlier one
			if n, _ := d.state(); n >= d.q.cfg.BatchSpans {
				return
			}
		case <-d.q.closing:
			return
		case <-delay.C:
			return
		}
	}
}

func (d *sender) state() (n int, closed bool) {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	return d.q.ring.n, d.q.closed
}

// deliver exports one batch and settles its fate. It returns false if ctx was
// cancelled first; the batch is then still in flight.
func (d *sender) deliver(ctx context.Context, batch []*Span) bool {
	first := time.Now()
	for {
		if batch = d.withoutRevoked(batch); len(batch) == 0 {
			return true
		}
		err := d.attempt(ctx, batch)
		if err != nil && ctx.Err() != nil {
			return false
		}
		var retry *RetryableError
		if !errors.As(err, &retry) {
			d.conclude(batch, err)
			return true
		}
		d.health.failed(err)
		if time.Since(first) >= d.q.cfg.MaxRetryElapsed {
			d.settle(batch, 0, DropRetryExhausted)
			return true
		}
		wait := min(max(d.backoff.next(), retry.After), d.q.cfg.MaxRetryElapsed)
		if !sleep(ctx, wait) {
			return false
		}
		d.q.mu.Lock()
		d.q.stats.Retries++
		d.q.mu.Unlock()
	}
}

// withoutRevoked settles the spans of batch that are not to be sent any more and
// returns the others, in its memory. It is called before each attempt: a batch
// may wait for minutes.
func (d *sender) withoutRevoked(batch []*Span) []*Span {
	var lost []*Span
	kept := batch[:0]
	for _, s := range batch {
		if s.revoked() {
			lost = append(lost, s)
		} else {
			kept = append(kept, s)
		}
	}
	if len(lost) > 0 {
		d.settle(lost, 0, DropDeselected)
	}
	return kept
}

func (d *sender) attempt(ctx context.Context, batch []*Span) error {
	ctx, cancel := context.WithTimeout(ctx, d.q.cfg.ExportTimeout)
	defer cancel()
	return d.q.exp.Export(ctx, batch)
}

// conclude settles a batch that the receiver answered for good.
func (d *sender) conclude(batch []*Span, err error) {
	d.backoff.reset()
	var partial *PartialError
	switch {
	case err == nil:
		d.health.succeeded()
		d.settle(batch, len(batch), DropRejected)
	case errors.As(err, &partial):
		d.health.rejected(partial)
		rejected := min(max(partial.Rejected, 0), int64(len(batch)))
		d.settle(batch, len(batch)-int(rejected), DropRejected)
	default:
		d.health.failed(err)
		d.settle(batch, 0, DropUnretryable)
	}
}

// settle counts batch, of which taken spans arrived and the rest is lost to
// why, and recycles its spans.
func (d *sender) settle(batch []*Span, taken int, why DropReason) {
	if !d.count(len(batch), taken, why) {
		return
	}
	freeSpans.put(batch) // not under the lock: producers need it
}

// count returns false if Close has counted the batch as lost already.
func (d *sender) count(size, taken int, why DropReason) bool {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	if d.q.abandoned {
		return false
	}
	d.q.inFlight -= size
	d.q.stats.Exported += uint64(taken)
	d.q.stats.Dropped[why] += uint64(size - taken)
	if taken > 0 {
		d.q.stats.Batches++
	}
	return true
}

// prefix returns how many of spans, at least one, are encoded in about limit
// bytes.
func prefix(spans []*Span, limit int) int {
	size := 0
	for i, s := range spans {
		if size += s.size; size > limit && i > 0 {
			return i
		}
	}
	return len(spans)
}

// sleep waits for wait and says if ctx was not cancelled before.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
