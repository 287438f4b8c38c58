// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"fmt"
	"time"
)

// Exporter writes batches of spans. Methods are called by one goroutine at a
// time.
type Exporter interface {
	// Export writes spans and returns once their fate is known. It may not
	// keep or change spans, nor what they point to, after it returned.
	//
	// The error tells what to do with the batch: a *[RetryableError] means
	// that nothing was taken and the same batch may be tried again; a
	// *[PartialError] that all but some were taken; any other error that the
	// batch is lost.
	Export(ctx context.Context, spans []*Span) error

	// Shutdown flushes what the exporter still holds and frees its resources.
	// Export is not called afterwards.
	Shutdown(ctx context.Context) error
}

// RetryableError says that a batch was not taken but may be tried again.
type RetryableError struct {
	Err   error
	After time.Duration // the receiver asked to wait at least this long; 0: it did not say
}

// Error returns the text of the cause.
func (e *RetryableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RetryableError) Unwrap() error { return e.Err }

// PartialError says that a batch was taken except for some of its spans, which
// must not be sent again (OTLP specification, section Partial Success).
// Rejected 0 is a warning: all spans were taken.
type PartialError struct {
	Rejected int64  // spans refused
	Message  string // the receiver's words, possibly empty
}

// Error tells count and reason.
func (e *PartialError) Error() string {
	return fmt.Sprintf("receiver rejected %d spans: %s", e.Rejected, e.Message)
}
