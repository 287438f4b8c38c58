// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/tracer-agent/tracer-agent/httpparse"
)

// capture is an allow-list of header fields that become attributes
// http.request.header.<name> or http.response.header.<name>, each with all its values.
type capture struct {
	names []string // lower case
	keys  []attribute.Key
}

func newCapture(prefix string, names []string) capture {
	var c capture
	for _, n := range names {
		n = strings.ToLower(n)
		c.names = append(c.names, n)
		c.keys = append(c.keys, attribute.Key(prefix+n))
	}
	return c
}

func (c *capture) collect(attrs []attribute.KeyValue, fields []httpparse.Field) []attribute.KeyValue {
	for i, name := range c.names {
		var values []string
		for _, f := range fields {
			if len(f.Name) == len(name) && equalFold(f.Name, name) {
				values = append(values, string(f.Value))
			}
		}
		if values != nil {
			attrs = append(attrs, c.keys[i].StringSlice(values))
		}
	}
	return attrs
}
