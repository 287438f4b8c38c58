// SPDX-License-Identifier: Apache-2.0

package tracecontext

import "testing"

// plainHead is a browser-like head of 12 fields without a trace context.
func plainHead() [][2][]byte {
	var head [][2][]byte
	for _, f := range []field{
		{"Host", "shop.example"},
		{"Connection", "keep-alive"},
		{"Cache-Control", "max-age=0"},
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9"},
		{"Accept-Encoding", "gzip, deflate, br"},
		{"Accept-Language", "en-GB,en;q=0.9"},
		{"Content-Type", "application/json"},
		{"Content-Length", "120"},
		{"Authorization", "Bearer abcdefghijklmnopqrstuvwxyz"},
		{"X-Forwarded-For", "192.0.2.7"},
		{"Cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"},
	} {
		head = append(head, [2][]byte{[]byte(f.name), []byte(f.value)})
	}
	return head
}

// withField replaces the last field of head.
func withField(head [][2][]byte, name, value string) [][2][]byte {
	head[len(head)-1] = [2][]byte{[]byte(name), []byte(value)}
	return head
}

// consume runs one head.
func consume(x *Extractor, head [][2][]byte) *Result {
	x.Begin()
	for _, f := range head {
		x.Field(f[0], f[1])
	}
	return x.Result()
}

func TestAllocations(t *testing.T) {
	parent := "00-" + traceA + "-" + spanA + "-01"
	for _, c := range []struct {
		name string
		head [][2][]byte
		max  float64
	}{
		{"no context", plainHead(), 0},
		{"traceparent", withField(plainHead(), "traceparent", parent), 0},
		{"invalid traceparent", withField(plainHead(), "traceparent", "00-"), 0},
		{"traceparent and tracestate", withField(withField(plainHead(), "traceparent", parent)[1:], "tracestate", "a=1"), 1},
		{"b3", withField(plainHead(), "b3", shortB+"-"+spanB+"-1"), 0},
		{"jaeger", withField(plainHead(), "uber-trace-id", shortB+":"+spanB+":0:1"), 0},
		{"x-ray", withField(plainHead(), "x-amzn-trace-id", "Root=1-6741a3c2-0f7d2b94ce8153a6d80b1e47;Parent="+spanA), 0},
		{"grpc", withField(plainHead(), "grpc-trace-bin", "AABcLpGge9NPZojB0g6aS38TAZ1BxuCPKrc1AgE"), 0},
		{"request id", withField(plainHead(), "x-request-id", "0b7c64f1-2f6e-4a1d-9d0e-6f8a3b1c2d4e"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExtractor(t, nil, "x-correlation-id")
			if n := testing.AllocsPerRun(100, func() { consume(x, c.head) }); n > c.max {
				t.Errorf("%v allocations, want at most %v", n, c.max)
			}
		})
	}
}

func BenchmarkHead(b *testing.B) {
	parent := "00-" + traceA + "-" + spanA + "-01"
	for _, c := range []struct {
		name string
		head [][2][]byte
	}{
		{"none", plainHead()},
		{"traceparent", withField(plainHead(), "traceparent", parent)},
		{"b3", withField(plainHead(), "b3", shortB+"-"+spanB+"-1")},
	} {
		b.Run(c.name, func(b *testing.B) {
			x, err := NewExtractor(nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				consume(x, c.head)
			}
		})
	}
}
