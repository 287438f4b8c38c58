// SPDX-License-Identifier: Apache-2.0

package export

import "go.opentelemetry.io/otel/attribute"

// AttrSet is a list of attributes that many spans have in common: it is encoded
// once. It is immutable and safe for concurrent use. A nil AttrSet is empty.
type AttrSet struct {
	attrs []attribute.KeyValue
	wire  []byte // as fields of an OTLP span
	size  int    // as approxSize counts
}

// NewAttrSet returns the set of attrs, which it keeps.
func NewAttrSet(attrs []attribute.KeyValue) *AttrSet {
	a := &AttrSet{attrs: attrs, size: attrsSize(attrs)}
	a.wire = make([]byte, 0, a.size)
	for i := range attrs {
		a.wire = appendKeyValue(a.wire, tagAttribute, &attrs[i])
	}
	return a
}

// Attributes returns the attributes in their order. They must not be changed.
func (a *AttrSet) Attributes() []attribute.KeyValue {
	if a == nil {
		return nil
	}
	return a.attrs
}
