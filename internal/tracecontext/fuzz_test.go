// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"unicode/utf8"
)

// checkResult fails if r breaks a promise of Result or Context.
func checkResult(t *testing.T, r *Result) {
	t.Helper()
	check := func(c Context) {
		switch {
		case c.TraceID == [16]byte{}:
			t.Errorf("context with a zero trace id: %+v", c)
		case c.HasSpan == (c.SpanID == [8]byte{}):
			t.Errorf("HasSpan does not fit the span id: %+v", c)
		case c.Format == FormatNone || c.Format >= formatCount:
			t.Errorf("context without a format: %+v", c)
		case (c.Sampled == Keep) != (c.Flags&flagSampled != 0):
			t.Errorf("flags do not fit the decision: %+v", c)
		case c.TraceState != "" && c.Format != W3C:
			t.Errorf("tracestate of another format: %+v", c)
		case len(c.TraceState) > MaxValue || !utf8.ValidString(c.TraceState):
			t.Errorf("tracestate %q", c.TraceState)
		}
	}
	if r.Parent.Format != FormatNone {
		check(r.Parent)
	} else if r.Parent != (Context{}) || len(r.Links) > 0 {
		t.Errorf("no parent, but %+v", *r)
	}
	for i, l := range r.Links {
		check(l)
		if !l.HasSpan || SameContext(l, r.Parent) {
			t.Errorf("link %d: %+v", i, l)
		}
		for _, m := range r.Links[:i] {
			if SameContext(l, m) {
				t.Errorf("link %d is listed twice", i)
			}
		}
	}
	if r.SW8 != nil && (r.SW8.TraceID == "" || r.SW8.SegmentID == "" || !utf8.ValidString(r.SW8.TraceID+r.SW8.SegmentID)) {
		t.Errorf("sw8 = %+v", *r.SW8)
	}
	if (r.RequestID == "") != (r.RequestIDHeader == "") || len(r.RequestID) > MaxValue || !utf8.ValidString(r.RequestID) {
		t.Errorf("request id %q of %q", r.RequestID, r.RequestIDHeader)
	}
}

// FuzzFields feeds lines of "name:value" and checks what Result promises, that
// a used Extractor behaves like a new one, and that input is not changed.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		"traceparent: 00-" + traceA + "-" + spanA + "-01\ntracestate: a=1,b=2\ntracestate:,c=3",
		"b3: " + shortB + "-" + spanB + "-d-" + spanA + "\nuber-trace-id:1%3Aa:0:3",
		"x-b3-traceid:" + shortB + "\nx-b3-spanid:" + spanB + "\nx-b3-sampled:true\nx-b3-flags:1",
		"x-datadog-trace-id:" + decB + "\nx-datadog-parent-id:" + decSB + "\nx-datadog-tags:_dd.p.tid=" + spanA + "\nx-datadog-sampling-priority:-1",
		"ot-tracer-traceid:" + traceA + "\not-tracer-spanid:" + spanA + "\not-tracer-sampled:0",
		"x-ot-span-context:" + base64.StdEncoding.EncodeToString(lightStep(0x18, 1)),
		"x-amzn-trace-id:Root=1-6741a3c2-0f7d2b94ce8153a6d80b1e47;Parent=" + spanA + ";Sampled=?",
		"grpc-trace-bin:AABcLpGge9NPZojB0g6aS38TAZ1BxuCPKrc1AgE\nx-cloud-trace-context:" + traceA + "/7;o=1",
		"sw8:" + sw8Value("1", "dA==", "cw==", "1") + "\nx-request-id:r\nx-cid:c",
	} {
		f.Add([]byte(seed))
	}
	used := newExtractor(f, append(DefaultOrder(), GoogleCloud), "x-cid")
	f.Fuzz(func(t *testing.T, data []byte) {
		fresh := newExtractor(t, append(DefaultOrder(), GoogleCloud), "x-cid")
		before := bytes.Clone(data)
		used.Begin()
		fresh.Begin()
		fields := 0
		for line := range bytes.SplitSeq(data, []byte{'\n'}) {
			name, value, _ := bytes.Cut(line, []byte{':'})
			used.Field(name, value)
			fresh.Field(name, value)
			fields++
		}
		r := used.Result()
		checkResult(t, r)
		if !reflect.DeepEqual(r, fresh.Result()) {
			t.Errorf("used %+v\nfresh %+v", *r, *fresh.Result())
		}
		if r.Invalid > 2*fields {
			t.Errorf("%d invalid headers among %d", r.Invalid, fields)
		}
		if !bytes.Equal(before, data) {
			t.Error("input was changed")
		}
	})
}

// FuzzRoundTrip writes ids in every format and reads them back.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("fedcba98"), byte(1))
	f.Add(make([]byte, 16), make([]byte, 8), byte(0xff))
	f.Add(append(make([]byte, 15), 1), append(make([]byte, 7), 1), byte(0))
	x := newExtractor(f, append(DefaultOrder(), GoogleCloud))
	f.Fuzz(func(t *testing.T, trace, span []byte, flags byte) {
		c := Context{HasSpan: true, Flags: flags}
		copy(c.TraceID[:], trace)
		copy(c.SpanID[:], span)
		for format := W3C; format < formatCount; format++ {
			low := c
			fields, lossy := written(format, c)
			if lossy {
				clear(low.TraceID[:8])
			}
			zero := low.TraceID == [16]byte{} || low.SpanID == [8]byte{}
			r := run(x, fields...)
			checkResult(t, r)
			switch {
			case zero && r.Parent.HasSpan:
				t.Errorf("%v: a zero id gave %+v", format, r.Parent)
			case zero:
			case r.Parent.Format != format || !SameContext(r.Parent, low) || r.Invalid != 0:
				t.Errorf("%v: %+v gave %+v (%d invalid)", format, fields, r.Parent, r.Invalid)
			case (r.Decision == Keep) != (flags&flagSampled != 0):
				t.Errorf("%v: flags %02x gave %v", format, flags, r.Decision)
			case (format == W3C || format == GRPCBin) && r.Parent.Flags != flags:
				t.Errorf("%v: flags %02x became %02x", format, flags, r.Parent.Flags)
			}
		}
	})
}

// written returns c in a format's headers; lossy formats keep the lower half
// of the trace id.
func written(format Format, c Context) (fields []field, lossy bool) {
	trace, span := hex.EncodeToString(c.TraceID[:]), hex.EncodeToString(c.SpanID[:])
	sampled := strconv.Itoa(int(c.Flags & flagSampled))
	decimal := func(h string) string {
		n, err := strconv.ParseUint(h, 16, 64)
		if err != nil {
			panic(err)
		}
		return strconv.FormatUint(n, 10)
	}
	switch format {
	case W3C:
		return one("traceparent", c.String()), false
	case B3Single:
		return one("b3", trace+"-"+span+"-"+sampled), false
	case B3Multi:
		return []field{{"x-b3-traceid", trace}, {"x-b3-spanid", span}, {"x-b3-sampled", sampled}}, false
	case Jaeger:
		return one("uber-trace-id", fmt.Sprintf("%s:%s:0:%s", trimZeros(trace), trimZeros(span), sampled)), false
	case Datadog:
		fields = []field{{"x-datadog-trace-id", decimal(trace[16:])}, {"x-datadog-parent-id", decimal(span)},
			{"x-datadog-tags", "_dd.p.tid=" + trace[:16]}, {"x-datadog-sampling-priority", sampled}}
		return fields, trace[16:] == "0000000000000000" // a lower half of zero is rejected
	case OpenTracing:
		return []field{{"ot-tracer-traceid", trace}, {"ot-tracer-spanid", span}, {"ot-tracer-sampled", sampled}}, false
	case LightStep:
		inner := append([]byte{0x09}, reversed(trace[16:])...)
		inner = append(append(inner, 0x11), reversed(span)...)
		inner = append(inner, 0x18, c.Flags&flagSampled)
		return one("x-ot-span-context", base64.StdEncoding.EncodeToString(append([]byte{0x12, byte(len(inner))}, inner...))), true
	case XRay:
		return one("x-amzn-trace-id", "Root=1-"+trace[:8]+"-"+trace[8:]+";Parent="+span+";Sampled="+sampled), false
	case GRPCBin:
		b := append([]byte{0, 0}, c.TraceID[:]...)
		b = append(append(b, 1), c.SpanID[:]...)
		return one("grpc-trace-bin", base64.StdEncoding.EncodeToString(append(b, 2, c.Flags))), false
	}
	return one("x-cloud-trace-context", trace+"/"+decimal(span)+";o="+sampled), false
}

// trimZeros removes leading zeros but keeps one digit.
func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	return s
}
