// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"

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
	fieldFlags    = 16 // its tag takes two bytes

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

// spanEncoder appends spans to buf, each as one ScopeSpans.spans field. Spans
// that follow each other have most of their attributes in common: those are
// copied from the encoding of the span before, several at a time.
type spanEncoder struct {
	buf   []byte
	attrs []attribute.KeyValue // of the span before
	at    []int                // where in buf their encodings begin, and the last one ends
}

// reset forgets what was encoded.
func (e *spanEncoder) reset() {
	e.buf, e.attrs = e.buf[:0], nil
}

func (e *spanEncoder) span(s *Span) {
	b := append(e.buf, tagSpan, 0, 0) // the length of most takes two bytes
	start := len(b)
	b = append(b, tagTraceID, byte(len(s.TraceID)))
	b = append(b, s.TraceID[:]...)
	b = append(b, tagSpanID, byte(len(s.SpanID)))
	b = append(b, s.SpanID[:]...)
	b = appendText(b, tagTraceState, s.TraceState)
	if s.Parent.IsValid() {
		b = appendBytes(b, tagParent, s.Parent[:])
	}
	b = appendText(b, tagName, s.Name)
	b = append(b, tagKind, byte(s.Kind), tagStart)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Start))
	b = append(b, tagEnd)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.End))
	for _, shared := range s.Shared {
		if shared != nil {
			b = append(b, shared.wire...)
		}
	}
	b = e.attributes(b, s.Attrs)
	for i := range s.Links {
		b = appendLink(b, &s.Links[i])
	}
	b = appendStatus(b, s)
	b = appendFlags(b, s)
	e.seal(b, start)
}

// attributes appends attrs to b, which begins with what is encoded already.
func (e *spanEncoder) attributes(b []byte, attrs []attribute.KeyValue) []byte {
	for i := 0; i < len(attrs); {
		if n := common(attrs[i:], e.attrs[min(i, len(e.attrs)):]); n > 0 {
			shift := len(b) - e.at[i]
			b = append(b, b[e.at[i]:e.at[i+n]]...)
			for k := i; k < i+n; k++ {
				e.at[k] += shift
			}
			i += n
			continue
		}
		e.begin(i, len(b))
		b = appendKeyValue(b, tagAttribute, &attrs[i])
		i++
	}
	e.begin(len(attrs), len(b))
	e.attrs = attrs
	return b
}

// begin notes where the encoding of attribute i begins.
func (e *spanEncoder) begin(i, at int) {
	if i == len(e.at) {
		e.at = append(e.at, at)
		return
	}
	e.at[i] = at
}

// common counts the attributes at the beginning of a and b that are the same bit
// for bit. Equal texts at different addresses do not count: they are only slower.
func common(a, b []attribute.KeyValue) int {
	type bits = [unsafe.Sizeof(attribute.KeyValue{})]byte
	n := 0
	for n < len(a) && n < len(b) && *(*bits)(unsafe.Pointer(&a[n])) == *(*bits)(unsafe.Pointer(&b[n])) {
		n++
	}
	return n
}

// seal writes the length of the span's body, b[start:], in front of it.
func (e *spanEncoder) seal(b []byte, start int) {
	n := len(b) - start
	size := protowire.SizeVarint(uint64(n))
	if shift := size - 2; shift != 0 {
		if shift > 0 {
			b = append(b, make([]byte, shift)...)
		}
		copy(b[start+shift:], b[start:start+n])
		b = b[:start+shift+n]
		for i := range e.at {
			e.at[i] += shift
		}
	}
	binary.PutUvarint(b[start-2:], uint64(n))
	e.buf = b
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

func appendFlags(b []byte, s *Span) []byte {
	flags := uint32(s.Flags) | flagHasIsRemote
	if s.Remote {
		flags |= flagIsRemote
	}
	b = protowire.AppendTag(b, fieldFlags, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, flags)
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
	key := string(kv.Key)
	switch kv.Value.Type() {
	case attribute.STRING:
		if v := kv.Value.AsString(); len(key)+len(v) <= maxShort && ascii(key) && ascii(v) {
			b = append(b, tag, byte(len(key)+len(v)+6), tagKey, byte(len(key)))
			b = append(b, key...)
			b = append(b, tagValue, byte(len(v)+2), tagString, byte(len(v)))
			return append(b, v...)
		}
	case attribute.INT64:
		if v := uint64(kv.Value.AsInt64()); len(key)+binary.MaxVarintLen64 <= maxShort && ascii(key) {
			n := protowire.SizeVarint(v)
			b = append(b, tag, byte(len(key)+n+5), tagKey, byte(len(key)))
			b = append(b, key...)
			return protowire.AppendVarint(append(b, tagValue, byte(n+1), tagInt), v)
		}
	}
	return appendAnyKeyValue(b, tag, kv)
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
func ascii(s string) bool {
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
func word(s string, i int) uint64 {
	w := s[i : i+8]
	return uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
		uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
}
