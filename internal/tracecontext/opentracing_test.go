// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestOpenTracingVectors(t *testing.T) {
	ot := func(trace, span string, more ...field) []field {
		return append([]field{{"ot-tracer-traceid", trace}, {"Ot-Tracer-Spanid", span}}, more...)
	}
	sampled := func(v string) field { return field{"ot-tracer-sampled", v} }
	want := "00-" + traceB + "-" + spanB
	good := func(name, want string, d Decision, fields []field) vector {
		return vector{name: name, fields: fields, want: want, format: OpenTracing, decision: d}
	}
	bad := func(name string, fields []field) vector { return vector{name: name, fields: fields, invalid: 1} }
	runVectors(t, []vector{
		good("16 digits", want+"-00", Undecided, ot(shortB, spanB)),
		good("32 digits", "00-"+traceA+"-"+spanA+"-00", Undecided, ot(traceA, spanA)),
		good("true", want+"-01", Keep, ot(shortB, spanB, sampled("true"))),
		good("false", want+"-00", Drop, ot(shortB, spanB, sampled("false"))),
		good("1", want+"-01", Keep, ot(shortB, spanB, sampled("1"))),
		good("0", want+"-00", Drop, ot(shortB, spanB, sampled("0"))),
		bad("short trace id", ot(shortB[1:], spanB)),
		bad("zero span id", ot(shortB, strings.Repeat("0", 16))),
		bad("no span id", one("ot-tracer-traceid", shortB)),
		{name: "decision alone", fields: []field{sampled("false")}},
	})
}

// lightStep returns the carrier of shortB and spanB followed by more fields of
// the inner message.
func lightStep(more ...byte) []byte {
	inner := append([]byte{0x09}, reversed(shortB)...)
	inner = append(inner, 0x11)
	inner = append(inner, reversed(spanB)...)
	inner = append(inner, more...)
	return append([]byte{0x12, byte(len(inner))}, inner...)
}

// reversed decodes hex into little-endian bytes.
func reversed(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return b
}

func TestLightStepVectors(t *testing.T) {
	want := "00-" + traceB + "-" + spanB
	enc := base64.StdEncoding.EncodeToString
	good := func(name, value, flags string, d Decision) vector {
		return vector{name: name, fields: one("x-ot-span-context", value), want: want + flags, format: LightStep, decision: d}
	}
	bad := func(name, value string) vector {
		return vector{name: name, fields: one("x-ot-span-context", value), invalid: 1}
	}
	baggage := []byte{0x22, 0x06, 0x0a, 0x01, 'k', 0x12, 0x01, 'v'}
	runVectors(t, []vector{
		good("sampled", enc(lightStep(0x18, 0x01)), "-01", Keep),
		good("not sampled", enc(lightStep(0x18, 0x00)), "-00", Drop),
		good("no decision", enc(lightStep()), "-00", Undecided),
		good("baggage", enc(lightStep(append([]byte{0x18, 1}, baggage...)...)), "-01", Keep),
		good("unknown fields", enc(append([]byte{0x0a, 0x01, 0x00, 0x7d, 1, 2, 3, 4}, lightStep(0x18, 1)...)), "-01", Keep),
		good("without padding", strings.TrimRight(enc(lightStep(0x18, 1)), "="), "-01", Keep),
		bad("not base64", "!!!"),
		bad("cut", enc(lightStep(0x18, 1)[:12])),
		bad("length too large", enc([]byte{0x12, 0xff, 0x7f, 0x01})),
		bad("varint without end", enc([]byte{0x18, 0xff})),
		bad("group", enc([]byte{0x13, 0x14})),
		bad("field number 0", enc([]byte{0x00, 0x00})),
		bad("no ids", enc([]byte{0x12, 0x02, 0x18, 0x01})),
		bad("text carrier only", enc([]byte{0x0a, 0x01, 0x00})),
		bad("empty", ""),
	})
}
