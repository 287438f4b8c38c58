// SPDX-License-Identifier: Apache-2.0

package export

import "testing"

func BenchmarkAppendSpan(b *testing.B) {
	s := exampleSpan(1)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendSpan(buf[:0], s)
	}
	b.ReportMetric(float64(len(buf)), "bytes/span")
}
