// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// carrier returns the header fields by which format f names a span. The trace
// id has zeros above its lower half, so that every format can carry it.
func carrier(f Format, short, span, decTrace, decSpan string) []field {
	switch f {
	case W3C:
		return one("traceparent", "00-0000000000000000"+short+"-"+span+"-01")
	case B3Single:
		return one("b3", short+"-"+span+"-1")
	case B3Multi:
		return []field{{"x-b3-traceid", short}, {"x-b3-spanid", span}, {"x-b3-sampled", "1"}}
	case Jaeger:
		return one("uber-trace-id", short+":"+span+":0:1")
	case Datadog:
		return []field{{"x-datadog-trace-id", decTrace}, {"x-datadog-parent-id", decSpan}, {"x-datadog-sampling-priority", "1"}}
	case OpenTracing:
		return []field{{"ot-tracer-traceid", short}, {"ot-tracer-spanid", span}, {"ot-tracer-sampled", "true"}}
	case XRay:
		return one("x-amzn-trace-id", "Root=1-00000000-00000000"+short+";Parent="+span+";Sampled=1")
	case GoogleCloud:
		return one("x-cloud-trace-context", "0000000000000000"+short+"/"+decSpan+";o=1")
	}
	panic(f)
}

// textFormats are the formats that carrier knows, in the default order.
func textFormats() []Format {
	return []Format{W3C, B3Single, B3Multi, Jaeger, Datadog, OpenTracing, XRay, GoogleCloud}
}

func TestHigherRankWins(t *testing.T) {
	for i, high := range textFormats() {
		for _, low := range textFormats()[i+1:] {
			t.Run(fmt.Sprintf("%v over %v", high, low), func(t *testing.T) {
				// The order of the fields in the head does not matter.
				fields := append(carrier(low, shortB, spanB, decB, decSB), carrier(high, "0000000000000001", "0000000000000002", "1", "2")...)
				r := extract(t, fields...)
				if r.Parent.Format != high || r.Parent.SpanID != [8]byte{7: 2} {
					t.Errorf("parent = %v %v", r.Parent.Format, r.Parent)
				}
				if len(r.Links) != 1 || r.Links[0].Format != low || r.Links[0].String() != "00-"+traceB+"-"+spanB+"-01" {
					t.Errorf("links = %v", r.Links)
				}
			})
		}
	}
}

func TestEqualContextsAreOne(t *testing.T) {
	var fields []field
	for _, f := range textFormats() {
		fields = append(fields, carrier(f, shortB, spanB, decB, decSB)...)
	}
	r := extract(t, fields...)
	if r.Parent.Format != W3C || len(r.Links) != 0 || r.Invalid != 0 {
		t.Errorf("parent = %v, links = %v, invalid = %d", r.Parent.Format, r.Links, r.Invalid)
	}
}

func TestLinksAreDistinct(t *testing.T) {
	fields := carrier(W3C, "0000000000000001", "0000000000000002", "1", "2")
	for _, f := range []Format{B3Single, Jaeger, Datadog} {
		fields = append(fields, carrier(f, shortB, spanB, decB, decSB)...)
	}
	fields = append(fields, carrier(XRay, shortB, "0000000000000003", "", "")...)
	r := extract(t, fields...)
	if len(r.Links) != 2 || r.Links[0].Format != B3Single || r.Links[1].Format != XRay {
		t.Errorf("links = %v", r.Links)
	}
}

func TestContextWithoutSpanIsNoLink(t *testing.T) {
	fields := append(carrier(W3C, shortB, spanB, "", ""), field{"x-datadog-trace-id", "7"})
	if r := extract(t, fields...); len(r.Links) != 0 || r.Invalid != 0 {
		t.Errorf("links = %v, invalid = %d", r.Links, r.Invalid)
	}
}

func TestInvalidFormatLeavesOthers(t *testing.T) {
	fields := append(carrier(Jaeger, shortB, spanB, "", ""), field{"traceparent", "00-bad"})
	if r := extract(t, fields...); r.Parent.Format != Jaeger || r.Invalid != 1 {
		t.Errorf("parent = %v, invalid = %d", r.Parent.Format, r.Invalid)
	}
}

func TestConfiguredOrder(t *testing.T) {
	fields := append(carrier(W3C, "0000000000000001", "0000000000000002", "", ""), carrier(Jaeger, shortB, spanB, "", "")...)
	fields = append(fields, field{"b3", "broken"})
	r := run(newExtractor(t, []Format{Jaeger, W3C}), fields...)
	if r.Parent.Format != Jaeger || len(r.Links) != 1 || r.Invalid != 0 {
		t.Errorf("jaeger first: parent = %v, links = %v, invalid = %d", r.Parent.Format, r.Links, r.Invalid)
	}
	r = run(newExtractor(t, []Format{XRay}), fields...)
	if r.Parent.Format != FormatNone || r.Invalid != 0 {
		t.Errorf("xray only: parent = %v, invalid = %d", r.Parent.Format, r.Invalid)
	}
}

func TestDefaultOrder(t *testing.T) {
	if r := run(newExtractor(t, nil), carrier(GoogleCloud, shortB, spanB, "", decSB)...); r.Parent.Format != FormatNone || r.Invalid != 0 {
		t.Errorf("x-cloud-trace-context is taken without being configured: %+v", r)
	}
	order := DefaultOrder()
	if !slices.IsSorted(order) || order[0] != W3C || order[len(order)-1] != GRPCBin {
		t.Errorf("default order = %v", order)
	}
}

func TestNewExtractorErrors(t *testing.T) {
	for _, c := range []struct {
		name        string
		order       []Format
		correlation []string
		want        string
	}{
		{"none", []Format{W3C, FormatNone}, nil, "format 1: none"},
		{"unknown", []Format{99}, nil, "format(99)"},
		{"twice", []Format{W3C, Jaeger, W3C}, nil, "format 2: w3c is listed twice"},
		{"empty name", nil, []string{""}, `header 0: ""`},
		{"not a name", nil, []string{"x-ok", "x id"}, `header 1: "x id"`},
		{"name twice", nil, []string{"x-id", "X-ID"}, `header 1: "X-ID" is listed twice`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewExtractor(c.order, c.correlation)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestFormatNames(t *testing.T) {
	for f := FormatNone + 1; f < formatCount; f++ {
		got, err := ParseFormat(f.String())
		if err != nil || got != f {
			t.Errorf("ParseFormat(%q) = %v, %v", f.String(), got, err)
		}
	}
	for _, s := range []string{"", "none", "W3C", "format(11)"} {
		if f, err := ParseFormat(s); err == nil {
			t.Errorf("ParseFormat(%q) = %v, want an error", s, f)
		}
	}
}

func TestTracestate(t *testing.T) {
	many := func(n int) string {
		var m []string
		for i := range n {
			m = append(m, fmt.Sprintf("k%d=v", i))
		}
		return strings.Join(m, ",")
	}
	long := strings.Repeat("k", 256)
	for _, c := range []struct {
		name    string
		values  []string
		want    string
		invalid int
	}{
		{"none", nil, "", 0},
		{"one", []string{"congo=t61rcWkgMzE"}, "congo=t61rcWkgMzE", 0},
		{"several headers in order", []string{"a=1,b=2", "c=3", "d=4"}, "a=1,b=2,c=3,d=4", 0},
		{"white space", []string{" a=1 ,\tb=2\t", "c=3"}, "a=1,b=2,c=3", 0},
		{"empty members", []string{",a=1,, ,b=2,", "", ",c=3"}, "a=1,b=2,c=3", 0},
		{"empty", []string{""}, "", 0},
		{"spaces belong to the value", []string{"a= 1 2"}, "a= 1 2", 0},
		{"all key characters", []string{"0a_-*/@z=1"}, "0a_-*/@z=1", 0},
		{"32 members", []string{many(32)}, many(32), 0},
		{"32 members and empty ones", []string{many(16), ",", many(32)[len(many(16))+1:]}, many(32), 0},
		{"33 members", []string{many(33)}, "", 1},
		{"33 members in two headers", []string{many(20), strings.ReplaceAll(many(13), "k", "j")}, "", 1},
		{"key of 256", []string{long + "=1"}, long + "=1", 0},
		{"key of 257", []string{long + "k=1"}, "", 1},
		{"value of 256", []string{"a=" + long}, "a=" + long, 0},
		{"value of 257", []string{"a=k" + long}, "", 1},
		{"no equals sign", []string{"a"}, "", 1},
		{"no key", []string{"=1"}, "", 1},
		{"no value", []string{"a="}, "", 1},
		{"equals sign in value", []string{"a=b=c"}, "", 1},
		{"upper-case key", []string{"A=1"}, "", 1},
		{"key starts with underscore", []string{"_a=1"}, "", 1},
		{"control character", []string{"a=\x01"}, "", 1},
		{"not ASCII", []string{"a=\xc3\xa9"}, "", 1},
		{"key twice", []string{"a=1,b=2", "a=3"}, "", 1},
		{"2 KiB in all", []string{strings.Repeat(",", 1000), strings.Repeat(",", 1000), "a=1"}, "a=1", 0},
		{"above 2 KiB in all", []string{strings.Repeat(",", 1000), strings.Repeat(",", 1000), strings.Repeat(",", 100)}, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			fields := one("traceparent", "00-"+traceA+"-"+spanA+"-01")
			for _, v := range c.values {
				fields = append(fields, field{"Tracestate", v})
			}
			r := extract(t, fields...)
			if r.Parent.Format != W3C || r.Parent.TraceState != c.want || r.Invalid != c.invalid {
				t.Errorf("format %v, tracestate %q, invalid %d", r.Parent.Format, r.Parent.TraceState, r.Invalid)
			}
		})
	}
}

func TestTracestateNeedsTraceparent(t *testing.T) {
	for _, parent := range []string{"", "00-broken"} {
		fields := append(carrier(Jaeger, shortB, spanB, "", ""), field{"tracestate", "NOT=valid"})
		want := 0
		if parent != "" {
			fields, want = append(fields, field{"traceparent", parent}), 1
		}
		if r := extract(t, fields...); r.Parent.TraceState != "" || r.Invalid != want {
			t.Errorf("traceparent %q: tracestate %q, invalid %d", parent, r.Parent.TraceState, r.Invalid)
		}
	}
}

func TestResultIsRepeatable(t *testing.T) {
	x := newExtractor(t, nil)
	fields := append(carrier(W3C, shortB, spanB, "", ""), carrier(Jaeger, "0000000000000001", spanB, "", "")...)
	fields = append(fields, field{"tracestate", "a=1, b=2"}, field{"x-b3-traceid", shortB}, field{"x-request-id", "r"})
	first := *run(x, fields...)
	if second := *x.Result(); !reflect.DeepEqual(first, second) {
		t.Errorf("first %+v\nsecond %+v", first, second)
	}
	if len(first.Links) != 1 || first.Invalid != 1 || first.Parent.TraceState != "a=1,b=2" {
		t.Errorf("result = %+v", first)
	}
}

func TestBeginForgets(t *testing.T) {
	x := newExtractor(t, nil, "x-corr")
	sw8 := sw8Value("1", "dHJhY2U=", "c2Vn", "3")
	fields := append(carrier(W3C, shortB, spanB, "", ""), carrier(B3Multi, "0000000000000001", spanB, "", "")...)
	fields = append(fields, field{"tracestate", "a=1"}, field{"sw8", sw8}, field{"x-corr", "c"}, field{"b3", "?"})
	run(x, fields...)
	x.Begin()
	x.Field([]byte("host"), []byte("a"))
	if r := x.Result(); !reflect.DeepEqual(*r, Result{}) {
		t.Errorf("result of an empty head = %+v", *r)
	}
	r := run(x, one("traceparent", "00-"+traceA+"-"+spanA+"-00")...)
	want := Result{Parent: r.Parent, Decision: Drop}
	if r.Parent.TraceState != "" || r.Parent.String() != "00-"+traceA+"-"+spanA+"-00" || !reflect.DeepEqual(*r, want) {
		t.Errorf("result = %+v", *r)
	}
}

func TestFieldKeepsNoSlice(t *testing.T) {
	x := newExtractor(t, nil)
	x.Begin()
	buf := make([]byte, 0, 256)
	for _, f := range []field{{"traceparent", "00-" + traceA + "-" + spanA + "-01"}, {"tracestate", "a=1"}, {"x-request-id", "abc"}} {
		buf = append(buf[:0], f.value...)
		x.Field([]byte(f.name), buf)
		for i := range buf {
			buf[i] = 'X'
		}
	}
	r := x.Result()
	if r.Parent.TraceState != "a=1" || r.RequestID != "abc" || r.Parent.String() != "00-"+traceA+"-"+spanA+"-01" {
		t.Errorf("result = %+v", *r)
	}
}

func TestContextString(t *testing.T) {
	if s := (Context{}).String(); s != "" {
		t.Errorf("no context = %q", s)
	}
	r := extract(t, one("traceparent", "00-"+traceA+"-"+spanA+"-03")...)
	if got, want := fmt.Sprint(r.Parent), "00-"+traceA+"-"+spanA+"-03"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
