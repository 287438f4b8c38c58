// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

// Tags of the fields written here: field number and wire type in one byte, as
// in opentelemetry/proto/{trace,common,resource}/v1. The tests decode what is
// written with the generated Go types and compare every field.
const (
	tagTraceID    = byte(1<<3 | protowire.BytesType)
	tagSpanID     = byte(2<<3 | protowire.BytesType)
	tagTraceState = byte(3<<3 | protowire.BytesType)
	tagParent     = byte(4<<3 | protowire.BytesType)
	tagName       = byte(5<<3 | protowire.BytesType)
	tagKind       = byte(6<<3 | protowire.VarintType)
	tagStart      = byte(7<<3 | protowire.Fixed64Type)
	tagEnd        = byte(8<<3 | protowire.Fixed64Type)
	tagAttribute  = byte(9<<3 | protowire.BytesType)
	tagLink       = byte(13<<3 | protowire.BytesType)
	tagStatus     = byte(15<<3 | protowire.BytesType)
	tagFlags      = byte(16<<3&0x7f|0x80) | byte(protowire.Fixed32Type) // its tag takes two bytes
	tagFlags2     = byte(16 << 3 >> 7)

	tagLinkTraceID    = byte(1<<3 | protowire.BytesType)
	tagLinkSpanID     = byte(2<<3 | protowire.BytesType)
	tagLinkTraceState = byte(3<<3 | protowire.BytesType)
	tagLinkAttribute  = byte(4<<3 | protowire.BytesType)

	tagStatusMessage = byte(2<<3 | protowire.BytesType)
	tagStatusCode    = byte(3<<3 | protowire.VarintType)

	tagKey   = byte(1<<3 | protowire.BytesType)
	tagValue = byte(2<<3 | protowire.BytesType)

	tagString = byte(1<<3 | protowire.BytesType)
	tagBool   = byte(2<<3 | protowire.VarintType)
	tagInt    = byte(3<<3 | protowire.VarintType)
	tagDouble = byte(4<<3 | protowire.Fixed64Type)
	tagArray  = byte(5<<3 | protowire.BytesType)
	tagKVList = byte(6<<3 | protowire.BytesType)
	tagBytes  = byte(7<<3 | protowire.BytesType)

	tagElement = byte(1<<3 | protowire.BytesType) // ArrayValue.values, KeyValueList.values

	tagResource          = byte(1<<3 | protowire.BytesType) // ResourceSpans.resource
	tagSpan              = byte(2<<3 | protowire.BytesType) // ScopeSpans.spans
	tagResourceAttribute = byte(1<<3 | protowire.BytesType)
)

// Bits of Span.flags above the W3C trace flags (trace.proto, SpanFlags).
const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

// What every span has: three numbers behind their tags, two ids behind their
// tags and lengths, kind and flags.
const (
	sizeTraceID = 2 + 16
	sizeSpanID  = 2 + 8
	sizeFixed   = sizeTraceID + sizeSpanID + 2 + 2*(1+8) + (2 + 4)
)

// appendSpan appends s as one ScopeSpans.spans field.
func appendSpan(b []byte, s *Span) []byte {
	b = append(b, tagSpan, 0, 0) // the length of most takes two bytes
	start := len(b)
	b = appendFixed(b, s)
	b = appendText(b, tagTraceState, s.TraceState)
	if s.Parent.IsValid() {
		b = appendBytes(b, tagParent, s.Parent[:])
	}
	b = appendText(b, tagName, s.Name)
	for _, shared := range s.Shared {
		if shared != nil {
			b = append(b, shared.wire...)
		}
	}
	for i := range s.Attrs {
		b = appendKeyValue(b, tagAttribute, &s.Attrs[i])
	}
	for i := range s.Links {
		b = appendLink(b, &s.Links[i])
	}
	return sealSpan(appendStatus(b, s), start)
}

// appendFixed appends the fields that every span has. Their order does not matter.
func appendFixed(b []byte, s *Span) []byte {
	var f [sizeFixed]byte
	f[0], f[1] = tagTraceID, byte(len(s.TraceID))
	copy(f[2:], s.TraceID[:])
	rest := f[sizeTraceID:]
	rest[0], rest[1] = tagSpanID, byte(len(s.SpanID))
	copy(rest[2:], s.SpanID[:])
	rest = rest[sizeSpanID:]
	rest[0], rest[1] = tagKind, byte(s.Kind)
	rest[2], rest[11] = tagStart, tagEnd
	binary.LittleEndian.PutUint64(rest[3:], uint64(s.Start))
	binary.LittleEndian.PutUint64(rest[12:], uint64(s.End))
	flags := uint32(s.Flags) | flagHasIsRemote
	if s.Remote {
		flags |= flagIsRemote
	}
	rest = rest[20:]
	rest[0], rest[1] = tagFlags, tagFlags2
	binary.LittleEndian.PutUint32(rest[2:], flags)
	return append(b, f[:]...)
}

// sealSpan writes the length of the span's body, b[start:], in front of it.
func sealSpan(b []byte, start int) []byte {
	n := len(b) - start
	size := protowire.SizeVarint(uint64(n))
	if more := size - 2; more != 0 {
		var room [binary.MaxVarintLen64]byte
		b = append(b, room[:max(more, 0)]...)
		copy(b[start+more:], b[start:start+n])
		b = b[:start+more+n]
	}
	binary.PutUvarint(b[start-2:], uint64(n))
	return b
}

func appendStatus(b []byte, s *Span) []byte {
	if s.Status == StatusUnset && s.StatusMsg == "" {
		return b
	}
	b, start := open(b, tagStatus)
	b = appendText(b, tagStatusMessage, s.StatusMsg)
	b = append(b, tagStatusCode, byte(s.Status))
	return seal(b, start)
}

func appendLink(b []byte, l *Link) []byte {
	b, start := open(b, tagLink)
	b = appendBytes(b, tagLinkTraceID, l.TraceID[:])
	b = appendBytes(b, tagLinkSpanID, l.SpanID[:])
	b = appendText(b, tagLinkTraceState, l.TraceState)
	for i := range l.Attrs {
		b = appendKeyValue(b, tagLinkAttribute, &l.Attrs[i])
	}
	return seal(b, start)
}

// appendResource appends a ResourceSpans.resource field.
func appendResource(b []byte, attrs []attribute.KeyValue) []byte {
	b, start := open(b, tagResource)
	for i := range attrs {
		b = appendKeyValue(b, tagResourceAttribute, &attrs[i])
	}
	return seal(b, start)
}

// maxShort bounds key and text of an attribute whose lengths, nested ones
// included, all fit one byte.
const maxShort = 0x7f - 6

// appendKeyValue appends kv as the field of tag. Nearly all attributes are short
// text or numbers, whose lengths are known beforehand.
func appendKeyValue(b []byte, tag byte, kv *attribute.KeyValue) []byte {
	key, start := string(kv.Key), len(b)
	switch kv.Value.Type() {
	case attribute.STRING:
		if v := kv.Value.AsString(); len(key)+len(v) <= maxShort {
			b = append(b, tag, byte(len(key)+len(v)+6), tagKey, byte(len(key)))
			b = append(b, key...)
			b = append(b, tagValue, byte(len(v)+2), tagString, byte(len(v)))
			b = append(b, v...)
		}
	case attribute.INT64:
		if v := uint64(kv.Value.AsInt64()); len(key)+binary.MaxVarintLen64 <= maxShort && ascii(key) {
			n := protowire.SizeVarint(v)
			b = append(b, tag, byte(len(key)+n+5), tagKey, byte(len(key)))
			b = append(b, key...)
			return binary.AppendUvarint(append(b, tagValue, byte(n+1), tagInt), v)
		}
	}
	if len(b) > start && ascii(b[start:]) { // tags and lengths are, too
		return b
	}
	return appendAnyKeyValue(b[:start], tag, kv)
}

func appendAnyKeyValue(b []byte, tag byte, kv *attribute.KeyValue) []byte {
	b, start := open(b, tag)
	b = appendBytes(b, tagKey, validUTF8(string(kv.Key)))
	b, value := open(b, tagValue)
	b = appendValue(b, &kv.Value)
	b = seal(b, value)
	return seal(b, start)
}

// appendValue appends the body of an AnyValue.
func appendValue(b []byte, v *attribute.Value) []byte {
	switch v.Type() {
	case attribute.STRING:
		return appendBytes(b, tagString, validUTF8(v.AsString()))
	case attribute.INT64:
		return protowire.AppendVarint(append(b, tagInt), uint64(v.AsInt64()))
	case attribute.BOOL:
		return protowire.AppendVarint(append(b, tagBool), protowire.EncodeBool(v.AsBool()))
	case attribute.FLOAT64:
		return binary.LittleEndian.AppendUint64(append(b, tagDouble), math.Float64bits(v.AsFloat64()))
	case attribute.BYTESLICE:
		return appendBytes(b, tagBytes, v.AsByteSlice())
	}
	return appendComposite(b, v)
}

// appendComposite appends the body of an AnyValue that holds other values.
func appendComposite(b []byte, v *attribute.Value) []byte {
	switch v.Type() {
	case attribute.STRINGSLICE:
		return appendArray(b, v.AsStringSlice(), attribute.StringValue)
	case attribute.INT64SLICE:
		return appendArray(b, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.BOOLSLICE:
		return appendArray(b, v.AsBoolSlice(), attribute.BoolValue)
	case attribute.FLOAT64SLICE:
		return appendArray(b, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.SLICE:
		return appendArray(b, v.AsSlice(), func(e attribute.Value) attribute.Value { return e })
	case attribute.MAP:
		return appendKVList(b, v.AsMap())
	}
	return b // an empty value has no field
}

func appendKVList(b []byte, kvs []attribute.KeyValue) []byte {
	b, start := open(b, tagKVList)
	for i := range kvs {
		b = appendKeyValue(b, tagElement, &kvs[i])
	}
	return seal(b, start)
}

func appendArray[T any](b []byte, elements []T, value func(T) attribute.Value) []byte {
	b, start := open(b, tagArray)
	for _, e := range elements {
		var element int
		b, element = open(b, tagElement)
		v := value(e)
		b = appendValue(b, &v)
		b = seal(b, element)
	}
	return seal(b, start)
}

// appendText appends a string field; the empty string is the default and takes
// no bytes.
func appendText(b []byte, tag byte, s string) []byte {
	if s == "" {
		return b
	}
	return appendBytes(b, tag, validUTF8(s))
}

func appendBytes[T string | []byte](b []byte, tag byte, s T) []byte {
	b = append(b, tag)
	if len(s) < 0x80 {
		b = append(b, byte(len(s)))
	} else {
		b = protowire.AppendVarint(b, uint64(len(s)))
	}
	return append(b, s...)
}

// open begins a nested message: its tag and one byte for its length, which is
// enough for most. [seal] completes it.
func open(b []byte, tag byte) ([]byte, int) {
	b = append(b, tag, 0)
	return b, len(b)
}

// seal writes the length of b[start:] in front of it, start being what [open]
// returned.
func seal(b []byte, start int) []byte {
	n := len(b) - start
	if n < 0x80 {
		b[start-1] = byte(n)
		return b
	}
	more := protowire.SizeVarint(uint64(n)) - 1
	var room [binary.MaxVarintLen64]byte
	b = append(b, room[:more]...)
	copy(b[start+more:], b[start:start+n])
	binary.PutUvarint(b[start-1:], uint64(n))
	return b
}

// validUTF8 replaces what proto3 strings and JSON may not hold. Valid strings
// are returned as they are.
func validUTF8(s string) string {
	if ascii(s) || utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// ascii says whether s holds nothing but ASCII, looking at eight bytes at a time.
func ascii[T string | []byte](s T) bool {
	const high = 0x8080808080808080
	if len(s) < 8 {
		var or byte
		for i := range len(s) {
			or |= s[i]
		}
		return or < utf8.RuneSelf
	}
	or := word(s, len(s)-8) // overlaps what the loop looks at
	for i := 0; i < len(s)-8; i += 8 {
		or |= word(s, i)
	}
	return or&high == 0
}

// word returns the eight bytes of s from i on. The compiler makes one load of it.
func word[T string | []byte](s T, i int) uint64 {
	w := s[i : i+8]
	return uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
		uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
}
