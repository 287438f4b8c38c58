// SPDX-License-Identifier: Apache-2.0

package export

// DropReason says why a span was lost after it was offered.
type DropReason uint8

// The reasons. NumDropReasons counts them.
const (
	DropQueueFull      DropReason = iota // the queue was full and this was in the oldest batch
	DropRejected                         // the receiver took the batch but not this span
	DropUnretryable                      // the receiver refused the batch for good
	DropRetryExhausted                   // the batch failed for longer than MaxRetryElapsed
	DropShutdown                         // not sent before the deadline of Close, or offered after Close
	DropDeselected                       // its process is not to be traced any more
	NumDropReasons
)

// String returns the reason's stable name, for metrics and logs.
func (r DropReason) String() string {
	return [...]string{"queue_full", "rejected", "unretryable", "retry_exhausted", "shutdown", "deselected", "unknown"}[min(r, NumDropReasons)]
}

// QueueStats is a consistent snapshot of a [Queue]'s counters: at any time
// Offered = Exported + the sum of Dropped + Len.
type QueueStats struct {
	Offered  uint64                 // spans handed to Offer
	Exported uint64                 // spans the receiver took
	Dropped  [NumDropReasons]uint64 // spans lost, by DropReason
	Len      int                    // spans waiting or being sent

	Batches uint64 // batches of which at least one span was taken
	Retries uint64 // attempts after the first of a batch
	Bytes   uint64 // encoded bytes handed to the transport before compression, retries included; 0 if the exporter does not know
}

// DroppedTotal sums the drops of all reasons.
func (s QueueStats) DroppedTotal() uint64 {
	var sum uint64
	for _, n := range s.Dropped {
		sum += n
	}
	return sum
}
