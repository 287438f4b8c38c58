// SPDX-License-Identifier: Apache-2.0

package export

import (
	"math/rand/v2"
	"time"
)

// backoff yields exponentially growing waits with jitter, so that the agents
// of many hosts do not return to a collector all at once. It is kept between
// batches: only an answer of the receiver resets it.
type backoff struct {
	initial, limit time.Duration
	current        time.Duration
}

// next returns a wait between half of the current step and the step.
func (b *backoff) next() time.Duration {
	b.current = min(max(2*b.current, b.initial), b.limit)
	half := b.current / 2
	return half + rand.N(half+1)
}

func (b *backoff) reset() { b.current = 0 }
