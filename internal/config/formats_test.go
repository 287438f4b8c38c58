// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// The words for propagation.formats are exactly the formats that exist.
func TestFormatsExist(t *testing.T) {
	accepted := map[string]bool{}
	for _, k := range Keys() {
		if k.Path == "propagation.formats" {
			for _, word := range k.Words {
				accepted[word] = true
				if _, err := tracecontext.ParseFormat(word); err != nil {
					t.Errorf("accepted, but %v", err)
				}
			}
		}
	}
	for f := tracecontext.FormatNone + 1; ; f++ {
		if _, err := tracecontext.ParseFormat(f.String()); err != nil {
			break // past the last
		}
		if !accepted[f.String()] {
			t.Errorf("format %s is not accepted", f)
		}
	}
}
