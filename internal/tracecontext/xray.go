// SPDX-License-Identifier: Apache-2.0

package tracecontext

import "bytes"

// parseXRay reads x-amzn-trace-id (AWS X-Ray, "Tracing header"): key=value
// pairs in any order, separated by semicolons. Root alone gives no ids and, as
// load balancers add it to everything, no decision either.
func parseXRay(v []byte) (Context, bool) {
	c := Context{Format: XRay}
	for rest, more := v, true; more; {
		var pair []byte
		pair, rest, more = bytes.Cut(rest, []byte{';'})
		key, value, _ := bytes.Cut(trim(pair), []byte{'='})
		ok := true
		switch string(key) { // Self, Lineage and what else there is are ignored
		case "Root":
			ok = c.TraceID == [16]byte{} && xrayRoot(&c.TraceID, value)
		case "Parent":
			ok = !c.HasSpan && decodeSpanID(&c.SpanID, value)
			c.HasSpan = true
		case "Sampled":
			ok = c.xraySampled(value)
		}
		if !ok {
			return Context{}, false
		}
	}
	if c.TraceID == ([16]byte{}) {
		return Context{}, false
	}
	if !c.HasSpan {
		return Context{Format: XRay}, true
	}
	return c, true
}

// xrayRoot reads 1-{8 digits}-{24 digits}: a version, and the trace id in two
// parts ("Trace ID": time and a random number, here opaque).
func xrayRoot(id *[16]byte, v []byte) bool {
	if len(v) != 2+8+1+24 || v[0] != '1' || v[1] != '-' || v[10] != '-' {
		return false
	}
	return decodeHex(id[:4], v[2:10]) && decodeHex(id[4:], v[11:]) && *id != [16]byte{}
}

// xraySampled reads 1, 0, or the question mark by which a sender asks the
// receiver to decide.
func (c *Context) xraySampled(v []byte) bool {
	switch string(v) {
	case "1":
		c.decide(Keep)
	case "0":
		c.decide(Drop)
	case "?":
		c.decide(Undecided)
	default:
		return false
	}
	return true
}
