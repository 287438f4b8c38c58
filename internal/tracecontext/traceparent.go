// SPDX-License-Identifier: Apache-2.0

package tracecontext

// traceparentSize is the length of a version 00 traceparent:
// version, trace-id, parent-id and trace-flags with three dashes.
const traceparentSize = 2 + 1 + 32 + 1 + 16 + 1 + 2

// parseTraceparent reads a traceparent value (Trace Context section 3.2.2).
// Values that a list merge joined with a comma fail on their length, or in
// later versions on the byte after the flags.
func parseTraceparent(v []byte) (Context, bool) {
	c := Context{Format: W3C, HasSpan: true}
	if len(v) < traceparentSize || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return Context{}, false
	}
	var version, flags [1]byte
	if !decodeLowerHex(version[:], v[:2]) || version[0] == 0xff { // section 3.2.2.1: ff is forbidden
		return Context{}, false
	}
	if !decodeLowerHex(c.TraceID[:], v[3:35]) || c.TraceID == ([16]byte{}) { // section 3.2.2.3
		return Context{}, false
	}
	if !decodeLowerHex(c.SpanID[:], v[36:52]) || c.SpanID == ([8]byte{}) { // section 3.2.2.4
		return Context{}, false
	}
	if !decodeLowerHex(flags[:], v[53:traceparentSize]) {
		return Context{}, false
	}
	// Section 3.2.4, versioning: later versions may add fields after another
	// dash, version 00 ends here.
	if len(v) > traceparentSize && (version[0] == 0 || v[traceparentSize] != '-') {
		return Context{}, false
	}
	c.Flags, c.Sampled = flags[0], Drop
	if c.Flags&flagSampled != 0 { // section 3.2.2.5: a bit field, other bits say nothing about sampling
		c.Sampled = Keep
	}
	return c, true
}
