// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"bytes"
	"encoding/binary"
)

// datadogHigh is the propagated tag with the upper 64 bits of a trace id.
const datadogHigh = "_dd.p.tid"

// takeDatadog reads one of the x-datadog-* headers (Datadog, "Trace Context
// Propagation", Datadog format): ids are unsigned 64-bit decimal numbers.
func (g *group) takeDatadog(h header, v []byte) bool {
	switch h {
	case hdrDatadogTraceID:
		id, ok := decimalID(v)
		return g.put(partTrace, g.trace[8:], id[:], ok)
	case hdrDatadogParentID:
		id, ok := decimalID(v)
		return g.put(partSpan, g.span[:], id[:], ok)
	case hdrDatadogTags:
		return g.datadogTags(v)
	}
	return g.datadogPriority(v)
}

// decimalID reads a decimal number that is not zero into big-endian bytes.
func decimalID(v []byte) (id [8]byte, ok bool) {
	n, ok := decodeDecimal(v)
	binary.BigEndian.PutUint64(id[:], n)
	return id, ok && n != 0
}

// datadogPriority reads user reject (-1), automatic reject and keep (0, 1) and
// user keep (2).
func (g *group) datadogPriority(v []byte) bool {
	switch string(v) {
	case "-1", "0":
		g.decide(Drop)
	case "1", "2":
		g.decide(Keep)
	default:
		return false
	}
	return true
}

// datadogTags looks for the upper half of the trace id in a comma-separated
// list of key=value pairs. A half that cannot be read spoils the context: the
// lower half alone would name another trace.
func (g *group) datadogTags(v []byte) bool {
	for rest, more := v, true; more; {
		var tag []byte
		tag, rest, more = bytes.Cut(rest, []byte{','})
		key, value, _ := bytes.Cut(trim(tag), []byte{'='})
		if string(key) != datadogHigh {
			continue
		}
		var id [8]byte
		ok := len(value) == 16 && decodeHex(id[:], value)
		if !g.put(partHigh, g.trace[:8], id[:], ok) {
			return false
		}
	}
	return true
}
