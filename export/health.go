// SPDX-License-Identifier: Apache-2.0

package export

import (
	"errors"
	"log/slog"
	"time"
)

// logEvery bounds how often a change for the worse is logged, so that a
// receiver that refuses every other batch does not fill the log.
const logEvery = time.Minute

// health logs when export starts to fail, starts to lose spans, and recovers;
// never per batch.
type health struct {
	log      *slog.Logger
	since    time.Time // when it began to fail; zero while it works
	told     bool      // the current failure was logged
	lastFail time.Time
	lastPart time.Time
}

// failed notes a batch that did not arrive.
func (h *health) failed(err error) {
	if !h.since.IsZero() {
		return
	}
	h.since = time.Now()
	if h.told = due(&h.lastFail, h.since); h.told {
		var retry *RetryableError
		h.log.Warn("span export is failing", "error", shorten(err.Error()), "will_retry", errors.As(err, &retry))
	}
}

// succeeded notes a batch that arrived.
func (h *health) succeeded() {
	if h.since.IsZero() {
		return
	}
	if h.told {
		h.log.Info("span export has recovered", "after", time.Since(h.since).Round(time.Millisecond))
	}
	h.since = time.Time{}
}

// rejected notes a batch of which the receiver refused some spans.
func (h *health) rejected(err *PartialError) {
	h.succeeded()
	if due(&h.lastPart, time.Now()) {
		h.log.Warn("receiver did not take all spans of a batch", "rejected", err.Rejected, "message", shorten(err.Message))
	}
}

// due says if logEvery has passed since last, which it then sets to now.
func due(last *time.Time, now time.Time) bool {
	if !last.IsZero() && now.Sub(*last) < logEvery {
		return false
	}
	*last = now
	return true
}

// shorten bounds text that came from the network before it is logged.
func shorten(s string) string {
	const limit = 300
	if len(s) <= limit {
		return s
	}
	return validUTF8(s[:limit]) + "…"
}
