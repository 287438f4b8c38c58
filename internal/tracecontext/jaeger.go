// SPDX-License-Identifier: Apache-2.0

package tracecontext

import "bytes"

// Jaeger's flags ("Propagation Format", flags).
const (
	jaegerSampled = 0x01
	jaegerDebug   = 0x02
)

// jaegerSize bounds a value after its escapes are undone: ids, an ignored
// parent of up to 16 digits, flags and three colons.
const jaegerSize = 32 + 16 + 16 + 2 + 3

// parseJaeger reads uber-trace-id (Jaeger, "Propagation Format"):
// {trace-id}:{span-id}:{parent-span-id}:{flags}, the ids without leading
// zeros if the sender wishes, the deprecated parent ignored.
func parseJaeger(v []byte) (Context, bool) {
	var buf [jaegerSize]byte
	n, ok := unescape(buf[:], v)
	if !ok {
		return Context{}, false
	}
	c := Context{Format: Jaeger, HasSpan: true}
	trace, rest, ok1 := bytes.Cut(buf[:n], []byte{':'})
	span, rest, ok2 := bytes.Cut(rest, []byte{':'})
	_, flags, ok3 := bytes.Cut(rest, []byte{':'})
	if !ok1 || !ok2 || !ok3 {
		return Context{}, false
	}
	var f [1]byte
	if !decodeHex(c.TraceID[:], trace) || !decodeHex(c.SpanID[:], span) || !decodeHex(f[:], flags) {
		return Context{}, false
	}
	if c.TraceID == ([16]byte{}) || c.SpanID == ([8]byte{}) {
		return Context{}, false
	}
	c.decide(Drop)
	if f[0]&(jaegerSampled|jaegerDebug) != 0 {
		c.decide(Keep)
	}
	return c, true
}

// unescape copies src to dst with percent-encoding undone (RFC 3986 section
// 2.1); it fails if an escape is malformed or dst too short.
func unescape(dst, src []byte) (n int, ok bool) {
	for i := 0; i < len(src); i++ {
		if n == len(dst) {
			return 0, false
		}
		c := src[i]
		if c == '%' {
			if len(src)-i < 3 {
				return 0, false
			}
			hi, lo := nibble(src[i+1]), nibble(src[i+2])
			if hi|lo > 0xf {
				return 0, false
			}
			c = hi<<4 | lo
			i += 2
		}
		dst[n] = c
		n++
	}
	return n, true
}
