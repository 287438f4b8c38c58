// SPDX-License-Identifier: Apache-2.0

package export

import "testing"

func BenchmarkAppendSpan(b *testing.B) {
	s := exampleSpan(1)
	var e spanEncoder
	b.ReportAllocs()
	for b.Loop() {
		e.reset()
		e.span(s)
	}
	b.ReportMetric(float64(len(e.buf)), "bytes/span")
}
