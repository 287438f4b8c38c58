// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// ids makes identifiers. One goroutine.
type ids struct{ source *mathrand.ChaCha8 }

// newIDs returns ids that follow from seed, or, if that is nil, from chance.
func newIDs(seed *[32]byte) (*ids, error) {
	if seed == nil {
		seed = new([32]byte)
		if _, err := rand.Read(seed[:]); err != nil {
			return nil, fmt.Errorf("seed span ids: %w", err)
		}
	}
	return &ids{mathrand.NewChaCha8(*seed)}, nil
}

// TraceID returns a valid trace id.
func (g *ids) TraceID() (id trace.TraceID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], g.source.Uint64())
		binary.NativeEndian.PutUint64(id[8:], g.source.Uint64())
	}
	return id
}

// SpanID returns a valid span id.
func (g *ids) SpanID() (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], g.source.Uint64())
	}
	return id
}
