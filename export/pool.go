// SPDX-License-Identifier: Apache-2.0

package export

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
)

const (
	spanAttrs    = 4    // attributes a fresh span has room for
	maxKeptAttrs = 64   // a span that grew beyond this is left to the collector of garbage
	maxFreeSpans = 1024 // two batches: as many as come back at a time, and as many as wait
)

// spanPool holds cleared spans. A sync.Pool costs more, since spans come back on
// other threads than those that take them, and it forgets them at each collection.
type spanPool struct {
	mu   sync.Mutex
	free []*Span
}

// freeSpans is where all spans come from and go back to.
var freeSpans spanPool

func (p *spanPool) get() *Span {
	p.mu.Lock()
	if n := len(p.free) - 1; n >= 0 {
		s := p.free[n]
		p.free[n] = nil
		p.free = p.free[:n]
		p.mu.Unlock()
		return s
	}
	p.mu.Unlock()
	return &Span{Attrs: make([]attribute.KeyValue, 0, spanAttrs)}
}

func (p *spanPool) put(spans []*Span) {
	for _, s := range spans {
		s.reset()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range spans {
		if len(p.free) < maxFreeSpans && cap(s.Attrs) <= maxKeptAttrs {
			p.free = append(p.free, s)
		}
	}
}

// GetSpan returns a zeroed span whose Attrs has room for typical attributes.
// Ownership passes to the queue at [Queue.Offer]; a span that is not offered
// goes back with [PutSpan]. Safe for concurrent use.
func GetSpan() *Span { return freeSpans.get() }

// PutSpan recycles a span that will not be offered. The caller must not use it
// afterwards. Safe for concurrent use.
func PutSpan(s *Span) {
	one := [...]*Span{s}
	freeSpans.put(one[:])
}

// reset zeroes s and keeps the capacity of its slices. The slices are cleared
// so that a pooled span pins no strings.
func (s *Span) reset() {
	clear(s.Attrs)
	clear(s.Links)
	*s = Span{Attrs: s.Attrs[:0], Links: s.Links[:0]}
}
