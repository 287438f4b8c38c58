// SPDX-License-Identifier: Apache-2.0

package export

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

// maxCachedResources bounds a resourceCache. Resources are one per process, so
// that a busy host stays below it between two clearings.
const maxCachedResources = 1024

// resourceCache encodes each resource once. A cached pointer is reachable, so
// its address cannot come to mean another resource.
type resourceCache struct {
	encode  func([]attribute.KeyValue) []byte
	encoded map[*resource.Resource][]byte
}

func newResourceCache(encode func([]attribute.KeyValue) []byte) *resourceCache {
	return &resourceCache{encode: encode, encoded: make(map[*resource.Resource][]byte)}
}

// get returns the encoded attributes of res, which may be nil.
func (c *resourceCache) get(res *resource.Resource) []byte {
	if enc, ok := c.encoded[res]; ok {
		return enc
	}
	if len(c.encoded) >= maxCachedResources {
		clear(c.encoded)
	}
	enc := c.encode(res.Attributes())
	c.encoded[res] = enc
	return enc
}
