// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// QueueConfig bounds a [Queue]. A zero field takes its default.
type QueueConfig struct {
	Spans      int           // spans that may wait, besides the one batch being sent; 65536
	Bytes      int           // memory that waiting spans may take, estimated; whichever of Spans and Bytes is reached first counts; 64 MiB
	BatchSpans int           // spans of one batch; 512, at most Spans
	BatchBytes int           // approximate encoded bytes of one batch, below the 4 MiB that gRPC servers accept by default; 2 MiB
	BatchDelay time.Duration // the longest a span waits for its batch to fill; 200 ms

	ExportTimeout   time.Duration // limit of one attempt, for exporters without a limit of their own; 5 min
	RetryInitial    time.Duration // first back-off, doubled by each failure, with jitter; 500 ms
	RetryMax        time.Duration // longest back-off; 5 s
	MaxRetryElapsed time.Duration // a batch that failed for this long is dropped; 5 min
}

func (c QueueConfig) withDefaults() QueueConfig {
	c.Spans = orDefault(c.Spans, 65536)
	c.Bytes = orDefault(c.Bytes, 64<<20)
	c.BatchSpans = min(orDefault(c.BatchSpans, 512), c.Spans)
	c.BatchBytes = orDefault(c.BatchBytes, 2<<20)
	c.BatchDelay = orDefault(c.BatchDelay, 200*time.Millisecond)
	c.ExportTimeout = orDefault(c.ExportTimeout, 5*time.Minute)
	c.RetryInitial = orDefault(c.RetryInitial, 500*time.Millisecond)
	c.RetryMax = max(orDefault(c.RetryMax, 5*time.Second), c.RetryInitial)
	c.MaxRetryElapsed = orDefault(c.MaxRetryElapsed, 5*time.Minute)
	return c
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Queue stands between the producers of spans and an [Exporter]: it takes
// spans without ever blocking, sends them in batches from one goroutine,
// retries what may be retried, and when full drops the oldest waiting batch.
type Queue struct {
	exp Exporter
	cfg QueueConfig
	log *slog.Logger

	wake    chan struct{} // the first span or a full batch is there
	closing chan struct{} // closed by Close: send at once, then stop
	done    chan struct{} // closed when the sending goroutine has ended
	cancel  context.CancelFunc

	mu        sync.Mutex
	ring      ring
	inFlight  int // spans taken from ring whose fate is not settled
	closed    bool
	abandoned bool // Close gave up on the sending goroutine and counted its spans
	stats     QueueStats
}

// NewQueue starts a queue in front of exp, which it owns from now on. The
// caller must call [Queue.Close].
func NewQueue(exp Exporter, cfg QueueConfig, log *slog.Logger) *Queue {
	cfg = cfg.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue{
		exp: exp, cfg: cfg, log: log, cancel: cancel,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
		ring: ring{limit: cfg.Spans, byteLimit: cfg.Bytes},
	}
	go newSender(q).run(ctx)
	return q
}

// Offer hands s to the queue, which owns it from then on, also if the result
// is false. It never blocks on the exporter. It returns false only after
// Close; a full queue makes room by dropping its oldest waiting batch. Safe
// for concurrent use.
func (q *Queue) Offer(s *Span) bool {
	s.size = approxSize(s)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Offered++
	if q.closed {
		q.stats.Dropped[DropShutdown]++
		PutSpan(s)
		return false
	}
	for !q.ring.fits(s) {
		q.dropOldest(q.cfg.BatchSpans, DropQueueFull)
	}
	q.ring.push(s)
	if q.ring.n == 1 || q.ring.n == q.cfg.BatchSpans {
		select {
		case q.wake <- struct{}{}:
		default: // it is awake already
		}
	}
	return true
}

// dropOldest loses up to n waiting spans; q.mu is held.
func (q *Queue) dropOldest(n int, why DropReason) {
	var few [64]*Span
	for n > 0 && q.ring.n > 0 {
		lost := q.ring.take(few[:0], min(n, len(few)))
		n -= len(lost)
		q.stats.Dropped[why] += uint64(len(lost))
		freeSpans.put(lost)
	}
}

// Stats returns the counters as of now. Safe for concurrent use.
func (q *Queue) Stats() QueueStats {
	q.mu.Lock()
	st := q.stats
	st.Len = q.ring.n + q.inFlight
	q.mu.Unlock()
	if e, ok := q.exp.(interface{ BytesSent() uint64 }); ok {
		st.Bytes = e.BytesSent()
	}
	return st
}

// stuckGrace is how long Close waits for an exporter whose context was
// cancelled to return.
const stuckGrace = time.Second

// Close stops taking spans, sends what is queued until ctx is done, counts
// what is left as DropShutdown, and shuts the exporter down. Failed batches
// are retried as long as ctx allows. It returns an error if spans were left
// or the exporter did not shut down cleanly; a second call returns nil.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	again := q.closed
	q.closed = true
	q.mu.Unlock()
	if again {
		return nil
	}
	close(q.closing)
	defer q.cancel()
	select {
	case <-q.done:
		return q.exp.Shutdown(ctx)
	case <-ctx.Done():
	}
	q.cancel()
	stuck := q.awaitSender(stuckGrace)
	err := q.abandon(ctx)
	if stuck {
		return errors.Join(err, errors.New("exporter did not return after it was cancelled"))
	}
	return errors.Join(err, q.exp.Shutdown(ctx))
}

// awaitSender waits for the sending goroutine and says if it is still running.
func (q *Queue) awaitSender(d time.Duration) (stuck bool) {
	grace := time.NewTimer(d)
	defer grace.Stop()
	select {
	case <-q.done:
		return false
	case <-grace.C:
		return true
	}
}

// abandon counts everything still here as lost at shutdown. The batch being
// sent is not recycled: a sending goroutine that is stuck may still read it.
func (q *Queue) abandon(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.abandoned = true
	left := q.inFlight + q.ring.n
	if left == 0 {
		return nil
	}
	q.stats.Dropped[DropShutdown] += uint64(q.inFlight)
	q.inFlight = 0
	q.dropOldest(q.ring.n, DropShutdown)
	return fmt.Errorf("flush spans: %d left: %w", left, context.Cause(ctx))
}
