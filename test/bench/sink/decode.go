// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of opentelemetry/proto/trace/v1 and common/v1.
const (
	requestResourceSpans = 1
	resourceScopeSpans   = 2
	scopeSpans           = 2
	spanID               = 2
	spanKind             = 6
	spanAttributes       = 9
	attributeKey         = 1
	attributeValue       = 2
	valueString          = 1

	kindServer = 2
)

var errMalformed = errors.New("malformed protobuf")

// eachField calls f for each field of message: bytes for length-delimited ones,
// number for varints. Fixed-size fields are skipped.
func eachField(message []byte, f func(field protowire.Number, bytes []byte, number uint64) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errMalformed
		}
		message = message[n:]
		var bytes []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return errMalformed
		}
		message = message[n:]
		if err := f(field, bytes, number); err != nil {
			return err
		}
	}
	return nil
}

// inside calls f with each occurrence of the length-delimited field want.
func inside(message []byte, want protowire.Number, f func([]byte) error) error {
	return eachField(message, func(field protowire.Number, bytes []byte, _ uint64) error {
		if field != want {
			return nil
		}
		return f(bytes)
	})
}

// request counts the spans of one export request. The caller holds mu.
func (s *Sink) request(body []byte, now time.Time) error {
	return inside(body, requestResourceSpans, func(resource []byte) error {
		return inside(resource, resourceScopeSpans, func(scope []byte) error {
			return inside(scope, scopeSpans, func(span []byte) error { return s.span(span, now) })
		})
	})
}

func (s *Sink) span(span []byte, now time.Time) error {
	var id [8]byte
	var kind uint64
	path := ""
	err := eachField(span, func(field protowire.Number, bytes []byte, number uint64) error {
		switch field {
		case spanID:
			copy(id[:], bytes)
		case spanKind:
			kind = number
		case spanAttributes:
			if s.arrivals == nil {
				return nil
			}
			key, value, err := attribute(bytes)
			if key == "url.path" {
				path = value
			}
			return err
		}
		return nil
	})
	if err == nil {
		s.count(id, kind, path, now)
	}
	return err
}

func (s *Sink) count(id [8]byte, kind uint64, path string, now time.Time) {
	if s.counts.Spans() == 0 {
		s.counts.First = now
	}
	if _, seen := s.ids[id]; seen {
		s.counts.Repeat++
	}
	s.ids[id] = struct{}{}
	if kind != kindServer {
		s.counts.Other++
		return
	}
	s.counts.Server++
	if _, seen := s.arrivals[path]; s.arrivals != nil && !seen {
		s.arrivals[path] = now
	}
}

// attribute returns a key and its value, "" unless that is a string.
func attribute(kv []byte) (key, value string, err error) {
	err = eachField(kv, func(field protowire.Number, bytes []byte, _ uint64) error {
		switch field {
		case attributeKey:
			key = string(bytes)
		case attributeValue:
			return inside(bytes, valueString, func(v []byte) error { value = string(v); return nil })
		}
		return nil
	})
	return key, value, err
}
