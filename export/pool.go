// SPDX-License-Identifier: Apache-2.0

package export

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
)

const (
	spanAttrs    = 8  // attributes a fresh span has room for
	maxKeptAttrs = 64 // a span that grew beyond this is left to the collector of garbage
)

// spanPool holds cleared spans.
var spanPool = sync.Pool{New: func() any {
	return &Span{Attrs: make([]attribute.KeyValue, 0, spanAttrs)}
}}

// GetSpan returns a zeroed span whose Attrs has room for typical attributes.
// Ownership passes to the queue at [Queue.Offer]; a span that is not offered
// goes back with [PutSpan]. Safe for concurrent use.
func GetSpan() *Span { return spanPool.Get().(*Span) }

// PutSpan recycles a span that will not be offered. The caller must not use it
// afterwards. Safe for concurrent use.
func PutSpan(s *Span) {
	if cap(s.Attrs) > maxKeptAttrs {
		return
	}
	s.reset()
	spanPool.Put(s)
}

// reset zeroes s and keeps the capacity of its slices. The slices are cleared
// so that a pooled span pins no strings.
func (s *Span) reset() {
	clear(s.Attrs)
	clear(s.Links)
	*s = Span{Attrs: s.Attrs[:0], Links: s.Links[:0]}
}
