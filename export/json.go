// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

// jsonExporter writes one JSON object per span and line.
type jsonExporter struct {
	w         io.Writer
	buf       []byte
	attrs     []attribute.KeyValue // of the span at hand
	resources *resourceCache
}

// NewJSON returns an exporter that writes each span to w as one line of JSON,
// all lines of a batch with one Write. The members of the object are
//
//	trace_id, span_id        lower-case hexadecimal
//	parent_span_id           the same; absent for a root
//	parent_is_remote         true if the parent came over the wire, else absent
//	trace_state              absent if empty
//	trace_flags              number, 1 = sampled
//	name, kind               kind is server, client, internal, ...
//	start_unix_nano, end_unix_nano, duration_nano  integers
//	status                   unset, ok or error
//	status_message           absent if empty
//	attributes, resource     objects
//	links                    array of objects; absent if there are none
//
// Bytes that are not UTF-8 become U+FFFD; byte slices are base64; the floats
// that JSON lacks are the strings NaN, +Inf and -Inf.
func NewJSON(w io.Writer) Exporter {
	return &jsonExporter{w: w, resources: newResourceCache(func(attrs []attribute.KeyValue) []byte {
		return appendJSONObject(nil, attrs)
	})}
}

// Export implements Exporter.
func (e *jsonExporter) Export(_ context.Context, spans []*Span) error {
	e.buf = e.buf[:0]
	for _, s := range spans {
		e.buf = e.appendSpan(e.buf, s)
	}
	if _, err := e.w.Write(e.buf); err != nil {
		return fmt.Errorf("write json spans: %w", err)
	}
	return nil
}

// Shutdown implements Exporter; nothing is held.
func (e *jsonExporter) Shutdown(context.Context) error { return nil }

// String names the format.
func (e *jsonExporter) String() string { return "json" }

func (e *jsonExporter) appendSpan(b []byte, s *Span) []byte {
	b = append(b, '{')
	b = appendIDs(b, s)
	b = appendJSONText(b, `,"name":`, s.Name)
	b = appendJSONText(b, `,"kind":`, s.Kind.String())
	b = strconv.AppendInt(append(b, `,"start_unix_nano":`...), s.Start, 10)
	b = strconv.AppendInt(append(b, `,"end_unix_nano":`...), s.End, 10)
	b = strconv.AppendInt(append(b, `,"duration_nano":`...), s.End-s.Start, 10)
	b = appendJSONText(b, `,"status":`, s.Status.String())
	if s.StatusMsg != "" {
		b = appendJSONText(b, `,"status_message":`, s.StatusMsg)
	}
	b = append(b, `,"attributes":`...)
	e.attrs = s.AppendAttributes(e.attrs[:0])
	b = appendJSONObject(b, e.attrs)
	b = appendJSONLinks(b, s.Links)
	b = append(b, `,"resource":`...)
	b = append(b, e.resources.get(s.Resource)...)
	return append(b, "}\n"...)
}

func appendIDs(b []byte, s *Span) []byte {
	b = appendJSONHex(b, `"trace_id":`, s.TraceID[:])
	b = appendJSONHex(b, `,"span_id":`, s.SpanID[:])
	if s.Parent.IsValid() {
		b = appendJSONHex(b, `,"parent_span_id":`, s.Parent[:])
	}
	if s.Remote {
		b = append(b, `,"parent_is_remote":true`...)
	}
	if s.TraceState != "" {
		b = appendJSONText(b, `,"trace_state":`, s.TraceState)
	}
	return strconv.AppendUint(append(b, `,"trace_flags":`...), uint64(s.Flags), 10)
}

func appendJSONLinks(b []byte, links []Link) []byte {
	if len(links) == 0 {
		return b
	}
	b = append(b, `,"links":`...)
	sep := byte('[')
	for i := range links {
		l := &links[i]
		b = append(b, sep, '{')
		sep = ','
		b = appendJSONHex(b, `"trace_id":`, l.TraceID[:])
		b = appendJSONHex(b, `,"span_id":`, l.SpanID[:])
		if l.TraceState != "" {
			b = appendJSONText(b, `,"trace_state":`, l.TraceState)
		}
		b = append(b, `,"attributes":`...)
		b = appendJSONObject(b, l.Attrs)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendJSONObject(b []byte, attrs []attribute.KeyValue) []byte {
	b = append(b, '{')
	for i := range attrs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, string(attrs[i].Key))
		b = append(b, ':')
		b = appendJSONValue(b, attrs[i].Value)
	}
	return append(b, '}')
}

func appendJSONValue(b []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.STRING:
		return appendJSONString(b, v.AsString())
	case attribute.INT64:
		return strconv.AppendInt(b, v.AsInt64(), 10)
	case attribute.BOOL:
		return strconv.AppendBool(b, v.AsBool())
	case attribute.FLOAT64:
		return appendJSONFloat(b, v.AsFloat64())
	case attribute.BYTESLICE:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.AsByteSlice())
		return append(b, '"')
	case attribute.MAP:
		return appendJSONObject(b, v.AsMap())
	case attribute.STRINGSLICE:
		return appendJSONArray(b, v.AsStringSlice(), attribute.StringValue)
	case attribute.INT64SLICE:
		return appendJSONArray(b, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.BOOLSLICE:
		return appendJSONArray(b, v.AsBoolSlice(), attribute.BoolValue)
	case attribute.FLOAT64SLICE:
		return appendJSONArray(b, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.SLICE:
		return appendJSONArray(b, v.AsSlice(), func(e attribute.Value) attribute.Value { return e })
	}
	return append(b, "null"...)
}

func appendJSONArray[T any](b []byte, elements []T, value func(T) attribute.Value) []byte {
	b = append(b, '[')
	for i, e := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONValue(b, value(e))
	}
	return append(b, ']')
}

func appendJSONFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return appendJSONString(b, strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

func appendJSONHex(b []byte, member string, id []byte) []byte {
	b = append(append(b, member...), '"')
	b = hex.AppendEncode(b, id)
	return append(b, '"')
}

func appendJSONText(b []byte, member, s string) []byte {
	return appendJSONString(append(b, member...), s)
}

// appendJSONString quotes s (RFC 8259, section 7). More is escaped than JSON
// asks for: what terminals obey and what changes the direction of writing.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s { // invalid bytes come as U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r < 0x10000 && !unicode.IsPrint(r):
			b = append(b, '\\', 'u', hexDigit(r>>12), hexDigit(r>>8), hexDigit(r>>4), hexDigit(r))
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

func hexDigit(r rune) byte { return "0123456789abcdef"[r&0xf] }
