// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"encoding/base64"
	"strings"
	"testing"
)

// sw8Value joins the parts of an sw8 header that vary, and those that do not.
func sw8Value(sample, trace, segment, span string) string {
	return strings.Join([]string{sample, trace, segment, span, "c2hvcA==", "aW5zdC0x", "L2dldA==", "MTAuMC4wLjE6ODA="}, "-")
}

func TestSW8(t *testing.T) {
	trace := base64.StdEncoding.EncodeToString([]byte("4bf9.73.16218381104550009"))
	segment := base64.StdEncoding.EncodeToString([]byte("4bf9.73.16218381104550008"))
	good := sw8Value("1", trace, segment, "2")
	r := extract(t, one("sw8", good)...)
	want := SW8{TraceID: "4bf9.73.16218381104550009", SegmentID: "4bf9.73.16218381104550008", SpanID: 2, Sampled: Keep}
	if r.SW8 == nil || *r.SW8 != want || r.Parent.Format != FormatNone || r.Decision != Undecided || r.Invalid != 0 {
		t.Fatalf("result = %+v, sw8 = %+v", *r, r.SW8)
	}
	r = extract(t, one("SW8", sw8Value("0", strings.TrimRight(trace, "="), segment, "0"))...)
	if r.SW8 == nil || r.SW8.Sampled != Drop || r.SW8.SpanID != 0 || r.SW8.TraceID != want.TraceID {
		t.Fatalf("sample 0, no padding: %+v", r.SW8)
	}
	parts := strings.Split(good, "-")
	for _, c := range []struct{ name, value string }{
		{"7 parts", strings.Join(parts[:7], "-")},
		{"9 parts", good + "-eA=="},
		{"bad base64 in trace id", sw8Value("1", "****", segment, "2")},
		{"bad base64 in segment id", sw8Value("1", trace, "a", "2")},
		{"bad base64 in peer", strings.Join(parts[:7], "-") + "-*"},
		{"empty trace id", sw8Value("1", "", segment, "2")},
		{"trace id is not UTF-8", sw8Value("1", "/w==", segment, "2")},
		{"control character in trace id", sw8Value("1", "Cg==", segment, "2")},
		{"sample", sw8Value("2", trace, segment, "2")},
		{"span id", sw8Value("1", trace, segment, "x")},
		{"span id above 31 bits", sw8Value("1", trace, segment, "2147483648")},
		{"empty", ""},
		{"above 2 KiB", sw8Value("1", strings.Repeat("aaaa", 600), segment, "2")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := extract(t, one("sw8", c.value)...); r.SW8 != nil || r.Invalid != 1 {
				t.Errorf("sw8 = %+v, invalid = %d", r.SW8, r.Invalid)
			}
		})
	}
	if r := extract(t, field{"sw8", good}, field{"sw8", good}); r.SW8 != nil || r.Invalid != 1 {
		t.Errorf("repeated: sw8 = %+v, invalid = %d", r.SW8, r.Invalid)
	}
}

func TestRequestID(t *testing.T) {
	for _, c := range []struct {
		name       string
		configured []string
		fields     []field
		id, header string
		invalid    int
	}{
		{"none", nil, one("x-request-idx", "a"), "", "", 0},
		{"x-request-id", nil, one("X-Request-Id", " a b "), "a b", "x-request-id", 0},
		{"not configured", nil, one("x-correlation-id", "a"), "", "", 0},
		{"configured", []string{"X-Correlation-ID"}, one("x-correlation-id", "a"), "a", "x-correlation-id", 0},
		{"x-request-id first", []string{"x-cid"}, []field{{"x-cid", "c"}, {"x-request-id", "r"}}, "r", "x-request-id", 0},
		{"order configured", []string{"x-cid", "x-request-id"}, []field{{"x-request-id", "r"}, {"x-cid", "c"}}, "c", "x-cid", 0},
		{"first configured", []string{"x-one", "x-two"}, []field{{"x-two", "2"}, {"x-one", "1"}}, "1", "x-one", 0},
		{"a trace header too", []string{"x-amzn-trace-id"}, one("X-Amzn-Trace-Id", "Root=1-6741a3c2-0f7d2b94ce8153a6d80b1e47"), "Root=1-6741a3c2-0f7d2b94ce8153a6d80b1e47", "x-amzn-trace-id", 0},
		{"repeated equal", nil, []field{{"x-request-id", "r"}, {"x-request-id", "r"}}, "r", "x-request-id", 0},
		{"repeated differing", []string{"x-cid"}, []field{{"x-request-id", "r"}, {"x-request-id", "s"}, {"x-cid", "c"}}, "c", "x-cid", 1},
		{"empty", nil, one("x-request-id", " "), "", "", 1},
		{"2 KiB", nil, one("x-request-id", strings.Repeat("r", MaxValue)), strings.Repeat("r", MaxValue), "x-request-id", 0},
		{"above 2 KiB", nil, one("x-request-id", strings.Repeat("r", MaxValue+1)), "", "", 1},
		{"not ASCII", nil, one("x-request-id", "\xff"), "", "", 1},
		{"name of 70 characters", []string{strings.Repeat("n", 70)}, []field{{strings.Repeat("N", 70), "r"}, {"nnnnnn", "no"}}, "r", strings.Repeat("n", 70), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(newExtractor(t, nil, c.configured...), c.fields...)
			if r.RequestID != c.id || r.RequestIDHeader != c.header || r.Invalid != c.invalid || r.Parent.Format != FormatNone {
				t.Errorf("id %q of %q, invalid %d", r.RequestID, r.RequestIDHeader, r.Invalid)
			}
		})
	}
}

func TestMaskRequestID(t *testing.T) {
	const id = "0b7c64f1-2f6e-4a1d-9d0e-6f8a3b1c2d4e"
	change := func(i int, c byte) string { return id[:i] + string(c) + id[i+1:] }
	for _, c := range []struct {
		name, other string
		same        bool
	}{
		{"itself", id, true},
		{"sampled", change(14, '9'), true},
		{"forced", change(14, 'a'), true},
		{"forced by client", change(14, 'b'), true},
		{"another digit", change(15, '9'), false},
		{"first digit", change(0, '9'), false},
		{"version is not hex", change(14, 'z'), false},
		{"no dash", change(8, '0'), false},
		{"cut", id[:35], false},
		{"empty", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := MaskRequestID(id) == MaskRequestID(c.other); got != c.same {
				t.Errorf("masked: same = %v", got)
			}
			if got := SameRequestID(id, c.other); got != c.same {
				t.Errorf("SameRequestID = %v", got)
			}
		})
	}
	for _, s := range []string{"", "order-1", "req-00000000000-1-0000000000000000000", id[:14] + "x" + id[15:]} {
		if got := MaskRequestID(s); got != s {
			t.Errorf("MaskRequestID(%q) = %q", s, got)
		}
	}
}
