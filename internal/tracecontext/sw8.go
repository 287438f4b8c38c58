// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// SW8 is what SkyWalking's sw8 header says of the calling segment. Its ids are
// arbitrary strings and never become ids of a Context.
type SW8 struct {
	TraceID   string   // valid UTF-8, not empty
	SegmentID string   // valid UTF-8, not empty
	SpanID    uint32   // number of the parent span within the segment
	Sampled   Decision // Keep or Drop, for information
}

// sw8Parts is the number of fields of the header.
const sw8Parts = 8

// parseSW8 reads an sw8 value (SkyWalking, "Cross Process Propagation Headers
// Protocol", version 3): sample, trace id, segment id, span id, service,
// instance, endpoint and peer, all but sample and span id in base64.
func parseSW8(v, scratch []byte) (*SW8, bool) {
	var parts [sw8Parts][]byte
	if bytes.Count(v, []byte{'-'}) != sw8Parts-1 {
		return nil, false
	}
	for i := range parts {
		parts[i], v, _ = bytes.Cut(v, []byte{'-'})
	}
	s := &SW8{Sampled: Drop}
	switch string(parts[0]) {
	case "0":
	case "1":
		s.Sampled = Keep
	default:
		return nil, false
	}
	span, ok := decodeDecimal(parts[3])
	if !ok || span > 1<<31-1 {
		return nil, false
	}
	s.SpanID = uint32(span)
	for _, p := range parts[4:] {
		if _, ok := decodeBase64(scratch, p); !ok {
			return nil, false
		}
	}
	s.TraceID, ok = sw8Text(parts[1], scratch)
	if !ok {
		return nil, false
	}
	s.SegmentID, ok = sw8Text(parts[2], scratch)
	return s, ok
}

// sw8Text decodes a string that can become an attribute: not empty, UTF-8,
// no control characters.
func sw8Text(v, scratch []byte) (string, bool) {
	b, ok := decodeBase64(scratch, v)
	if !ok || len(b) == 0 || !utf8.Valid(b) || bytes.ContainsFunc(b, unicode.IsControl) {
		return "", false
	}
	return string(b), true
}
