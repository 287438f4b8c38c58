// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"strings"
	"testing"
)

// Ids that most vectors use.
const (
	traceA = "5c2e91a07bd34f6688c1d20e9a4b7f13"
	spanA  = "9d41c6e08f2ab735"
	traceB = "0000000000000000" + shortB
	shortB = "8f03b6d2417ac95e" // 64 bits
	decB   = "10305281386511780190"
	spanB  = "41d7a0c2e9b3586f"
	decSB  = "4744437491463051375"
)

// field is one header field of a vector.
type field struct{ name, value string }

// vector is a head and what must come out of it.
type vector struct {
	name     string
	fields   []field
	want     string // Parent.String(), empty for none
	format   Format
	noSpan   bool
	decision Decision
	links    []string
	invalid  int
}

// extract runs fields through a fresh Extractor of all formats.
func extract(t testing.TB, fields ...field) *Result {
	t.Helper()
	x := newExtractor(t, append(DefaultOrder(), GoogleCloud))
	return run(x, fields...)
}

func newExtractor(t testing.TB, order []Format, correlation ...string) *Extractor {
	t.Helper()
	x, err := NewExtractor(order, correlation)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func run(x *Extractor, fields ...field) *Result {
	x.Begin()
	for _, f := range fields {
		x.Field([]byte(f.name), []byte(f.value))
	}
	return x.Result()
}

// runVectors checks each vector.
func runVectors(t *testing.T, vectors []vector) {
	t.Helper()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			r := extract(t, v.fields...)
			if got := r.Parent.String(); got != v.want {
				t.Errorf("parent = %q, want %q", got, v.want)
			}
			if r.Parent.Format != v.format {
				t.Errorf("format = %v, want %v", r.Parent.Format, v.format)
			}
			if v.want != "" && r.Parent.HasSpan == v.noSpan {
				t.Errorf("HasSpan = %v", r.Parent.HasSpan)
			}
			if r.Decision != v.decision {
				t.Errorf("decision = %v, want %v", r.Decision, v.decision)
			}
			if r.Invalid != v.invalid {
				t.Errorf("invalid = %d, want %d", r.Invalid, v.invalid)
			}
			var links []string
			for _, l := range r.Links {
				links = append(links, l.Format.String()+" "+l.String())
			}
			if got, want := strings.Join(links, "\n"), strings.Join(v.links, "\n"); got != want {
				t.Errorf("links = %q, want %q", got, want)
			}
		})
	}
}

// one returns the fields of a head with a single header.
func one(name, value string) []field { return []field{{name, value}} }

func TestTraceparentVectors(t *testing.T) {
	ids := traceA + "-" + spanA
	ok := "00-" + ids + "-01"
	good := func(name, value, want string, d Decision) vector {
		return vector{name: name, fields: one("traceparent", value), want: want, format: W3C, decision: d}
	}
	bad := func(name, value string) vector {
		return vector{name: name, fields: one("traceparent", value), invalid: 1}
	}
	runVectors(t, []vector{
		good("sampled", ok, ok, Keep),
		good("flags 00", "00-"+ids+"-00", "00-"+ids+"-00", Drop),
		good("flags 02 random trace id", "00-"+ids+"-02", "00-"+ids+"-02", Drop),
		good("flags 03 is sampled", "00-"+ids+"-03", "00-"+ids+"-03", Keep),
		good("flags ff", "00-"+ids+"-ff", "00-"+ids+"-ff", Keep),
		good("white space around", " \t"+ok+"\t ", ok, Keep),
		good("version 01 with 55 characters", "01-"+ids+"-01", ok, Keep),
		good("version 01 with 56 characters", "01-"+ids+"-01-", ok, Keep),
		good("version fe with more fields", "fe-"+ids+"-01-what-ever", ok, Keep),
		{name: "upper-case name", fields: one("TRACEPARENT", ok), want: ok, format: W3C, decision: Keep},
		{name: "mixed-case name", fields: one("TraceParent", ok), want: ok, format: W3C, decision: Keep},
		bad("version ff", "ff-"+ids+"-01"),
		bad("version 01 with 56 characters without dash", "01-"+ids+"-01x"),
		bad("version 01 with 54 characters", "01-"+ids+"-0"),
		bad("version is not hex", "0g-"+ids+"-01"),
		bad("upper-case version", "0A-"+ids+"-01"),
		bad("upper-case trace id", "00-"+strings.ToUpper(traceA)+"-"+spanA+"-01"),
		bad("upper-case parent id", "00-"+traceA+"-"+strings.ToUpper(spanA)+"-01"),
		bad("upper-case flags", "00-"+ids+"-0A"),
		bad("flags are not hex", "00-"+ids+"-0x"),
		bad("trailing dash", ok+"-"),
		bad("version 00 with more fields", ok+"-00"),
		bad("zero trace id", "00-"+strings.Repeat("0", 32)+"-"+spanA+"-01"),
		bad("zero parent id", "00-"+traceA+"-"+strings.Repeat("0", 16)+"-01"),
		bad("short trace id", "00-"+traceA[1:]+"-"+spanA+"-01"),
		bad("long trace id", "00-0"+traceA+"-"+spanA+"-01"),
		bad("underscores", strings.ReplaceAll(ok, "-", "_")),
		bad("empty", ""),
		bad("comma-merged", ok+","+ok),
		bad("comma-merged, version 01", "01-"+ids+"-01,"+ok),
		bad("above 2 KiB", "01-"+ids+"-01-"+strings.Repeat("x", MaxValue)),
		{name: "two headers", fields: []field{{"traceparent", ok}, {"traceparent", "00-" + traceB + "-" + spanB + "-01"}}, invalid: 1},
		{name: "two equal headers", fields: []field{{"traceparent", ok}, {"Traceparent", ok}}, invalid: 1},
		{name: "two headers, first invalid", fields: []field{{"traceparent", "x"}, {"traceparent", ok}}, invalid: 2},
		{name: "trace-parent", fields: one("trace-parent", ok)},
		{name: "trace.parent", fields: one("trace.parent", ok)},
		{name: "folded over two lines", fields: one("traceparent", "   "+ok+"   "), want: ok, format: W3C, decision: Keep},
		{name: "folded inside", fields: one("traceparent", ok[:20]+"   "+ok[20:]), invalid: 1},
	})
}

func TestB3Vectors(t *testing.T) {
	long := "00-" + traceA + "-" + spanA
	short := "00-" + traceB + "-" + spanB
	good := func(name, value, want string, d Decision) vector {
		return vector{name: name, fields: one("b3", value), want: want, format: B3Single, decision: d}
	}
	bad := func(name, value string) vector {
		return vector{name: name, fields: one("b3", value), invalid: 1}
	}
	runVectors(t, []vector{
		{name: "deny only", fields: one("b3", "0"), decision: Drop},
		{name: "accept only", fields: one("B3", "1"), decision: Keep},
		{name: "debug only", fields: one("b3", "d"), decision: Keep},
		good("32 digits", traceA+"-"+spanA+"-1-"+spanB, long+"-01", Keep),
		good("16 digits", shortB+"-"+spanB+"-1-"+spanA, short+"-01", Keep),
		good("16 digits, no state", shortB+"-"+spanB, short+"-00", Undecided),
		good("deny", traceA+"-"+spanA+"-0", long+"-00", Drop),
		good("debug", traceA+"-"+spanA+"-d", long+"-01", Keep),
		good("no state, parent", traceA+"-"+spanA+"-"+spanB, long+"-00", Undecided),
		good("a dash as parent", traceA+"-"+spanA+"-1--", long+"-01", Keep),
		good("a dash as parent, no state", traceA+"-"+spanA+"--", long+"-00", Undecided),
		good("empty parent", traceA+"-"+spanA+"-1-", long+"-01", Keep),
		good("zero parent", traceA+"-"+spanA+"-1-0000000000000000", long+"-01", Keep),
		good("upper half zero", traceB+"-"+spanB+"-1", short+"-01", Keep),
		bad("unknown state", "x"),
		bad("empty", ""),
		bad("unknown state after ids", traceA+"-"+spanA+"-2"),
		bad("short parent", traceA+"-"+spanA+"-1-"+spanB[1:]),
		bad("parent is not hex", traceA+"-"+spanA+"-1-zzzzzzzzzzzzzzzz"),
		bad("more parts", traceA+"-"+spanA+"-1-"+spanB+"-1"),
		bad("zero trace id", strings.Repeat("0", 32)+"-"+spanA+"-1"),
		bad("zero span id", traceA+"-0000000000000000-1"),
		bad("24 digits", traceA[:24]+"-"+spanA+"-1"),
		bad("no span id", traceA),
		bad("comma-merged", traceA+"-"+spanA+"-1,"+shortB+"-"+spanB+"-1"),
		{name: "repeated", fields: []field{{"b3", "1"}, {"b3", "0"}}, invalid: 1},
	})
}

func TestB3MultiVectors(t *testing.T) {
	ids := []field{{"X-B3-TraceId", traceA}, {"X-B3-SpanId", spanA}, {"X-B3-ParentSpanId", spanB}}
	with := func(more ...field) []field { return append(ids[:3:3], more...) }
	want := "00-" + traceA + "-" + spanA
	good := func(name, flags string, d Decision, fields ...field) vector {
		return vector{name: name, fields: fields, want: want + flags, format: B3Multi, decision: d}
	}
	runVectors(t, []vector{
		good("ids", "-00", Undecided, ids...),
		good("sampled", "-01", Keep, with(field{"X-B3-Sampled", "1"})...),
		good("not sampled", "-00", Drop, with(field{"x-b3-sampled", "0"})...),
		good("true", "-01", Keep, with(field{"x-b3-sampled", "true"})...),
		good("false", "-00", Drop, with(field{"x-b3-sampled", "false"})...),
		good("debug", "-01", Keep, with(field{"X-B3-Flags", "1"})...),
		good("debug overrides deny", "-01", Keep, with(field{"X-B3-Sampled", "0"}, field{"X-B3-Flags", "1"})...),
		good("flags 0", "-00", Drop, with(field{"X-B3-Sampled", "0"}, field{"X-B3-Flags", "0"})...),
		good("first state wins", "-01", Keep, with(field{"X-B3-Sampled", "1"}, field{"X-B3-Sampled", "0"})...),
		good("repeated equal ids", "-00", Undecided, with(ids...)...),
		{name: "16 digits", fields: []field{{"x-b3-traceid", shortB}, {"x-b3-spanid", spanB}}, want: "00-" + traceB + "-" + spanB + "-00", format: B3Multi},
		{name: "invalid state", fields: with(field{"x-b3-sampled", "yes"}), want: want + "-00", format: B3Multi, invalid: 1},
		{name: "deny only", fields: one("x-b3-sampled", "0"), decision: Drop},
		{name: "debug only", fields: one("x-b3-flags", "1"), decision: Keep},
		{name: "no span id", fields: one("x-b3-traceid", traceA), invalid: 1},
		{name: "no trace id", fields: one("x-b3-spanid", spanA), invalid: 1},
		{name: "parent alone", fields: one("x-b3-parentspanid", spanA)},
		{name: "zero trace id", fields: []field{{"x-b3-traceid", strings.Repeat("0", 16)}, {"x-b3-spanid", spanB}}, invalid: 1},
		{name: "zero span id", fields: []field{{"x-b3-traceid", traceA}, {"x-b3-spanid", strings.Repeat("0", 16)}}, invalid: 1},
		{name: "trace id of 20 digits", fields: []field{{"x-b3-traceid", traceA[:20]}, {"x-b3-spanid", spanB}}, invalid: 1},
		{name: "another trace id", fields: with(field{"x-b3-traceid", traceB}), invalid: 1},
		{name: "single wins", fields: with(field{"b3", traceA + "-" + spanA + "-0"}, field{"x-b3-sampled", "1"}),
			want: want + "-00", format: B3Single, decision: Drop},
		{name: "single wins over differing multi", fields: with(field{"b3", shortB + "-" + spanB + "-1"}),
			want: "00-" + traceB + "-" + spanB + "-01", format: B3Single, decision: Keep, links: []string{"b3multi " + want + "-00"}},
		{name: "invalid single leaves multi", fields: with(field{"b3", "nonsense"}), want: want + "-00", format: B3Multi, invalid: 1},
		{name: "decision of single, ids of multi", fields: with(field{"b3", "0"}, field{"x-b3-sampled", "1"}),
			want: want + "-01", format: B3Multi, decision: Drop},
	})
}

func TestJaegerVectors(t *testing.T) {
	good := func(name, value, want string, d Decision) vector {
		return vector{name: name, fields: one("uber-trace-id", value), want: want, format: Jaeger, decision: d}
	}
	bad := func(name, value string) vector {
		return vector{name: name, fields: one("Uber-Trace-Id", value), invalid: 1}
	}
	tiny := "00-" + strings.Repeat("0", 31) + "1-000000000000000a"
	short := "00-" + traceB + "-" + spanB
	runVectors(t, []vector{
		good("sampled", shortB+":"+spanB+":0:1", short+"-01", Keep),
		good("not sampled", shortB+":"+spanB+":0:0", short+"-00", Drop),
		good("debug", shortB+":"+spanB+":0:2", short+"-01", Keep),
		good("debug and sampled", shortB+":"+spanB+":0:03", short+"-01", Keep),
		good("other flags", shortB+":"+spanB+":0:8", short+"-00", Drop),
		good("32 digits", traceA+":"+spanA+":"+spanB+":1", "00-"+traceA+"-"+spanA+"-01", Keep),
		good("one-character ids", "1:a:0:1", tiny+"-01", Keep),
		good("upper case", "1:A:0:1", tiny+"-01", Keep),
		good("odd number of digits", shortB[1:]+":"+spanB[1:]+":0:1", "00-00000000000000000"+shortB[1:]+"-0"+spanB[1:]+"-01", Keep),
		good("percent-encoded", shortB+"%3A"+spanB+"%3a0%3A1", short+"-01", Keep),
		good("parent is ignored", shortB+":"+spanB+":?:1", short+"-01", Keep),
		good("empty parent", shortB+":"+spanB+"::1", short+"-01", Keep),
		bad("zero trace id", "0:"+spanB+":0:1"),
		bad("zero span id", shortB+":0:0:1"),
		bad("33 digits", "0"+traceA+":"+spanA+":0:1"),
		bad("span id of 17 digits", traceA+":0"+spanA+":0:1"),
		bad("empty trace id", ":"+spanA+":0:1"),
		bad("empty span id", traceA+"::0:1"),
		bad("three parts", traceA+":"+spanA+":1"),
		bad("five parts", traceA+":"+spanA+":0:1:1"),
		bad("flags are not hex", traceA+":"+spanA+":0:x"),
		bad("flags of three digits", traceA+":"+spanA+":0:001"),
		bad("no flags", traceA+":"+spanA+":0:"),
		bad("not hex", "xyz:"+spanA+":0:1"),
		bad("cut escape", traceA+":"+spanA+":0%3"),
		bad("wrong escape", traceA+"%zz"+spanA+":0:1"),
		bad("empty", ""),
		bad("too long", strings.Repeat("0", 200)+":1:0:1"),
		{name: "repeated equal", fields: []field{{"uber-trace-id", "1:a:0:1"}, {"uber-trace-id", "01:0a:0:1"}}, want: tiny + "-01", format: Jaeger, decision: Keep},
		{name: "repeated differing", fields: []field{{"uber-trace-id", "1:a:0:1"}, {"uber-trace-id", "2:a:0:1"}}, invalid: 1},
	})
}

func TestDatadogVectors(t *testing.T) {
	dd := func(trace, parent string, more ...field) []field {
		return append([]field{{"x-datadog-trace-id", trace}, {"X-Datadog-Parent-Id", parent}}, more...)
	}
	short := "00-" + traceB + "-" + spanB
	high := "5c2e91a07bd34f66"
	long := "00-" + high + shortB + "-" + spanB
	tid := func(v string) field { return field{"x-datadog-tags", v} }
	priority := func(v string) field { return field{"x-datadog-sampling-priority", v} }
	good := func(name, want string, d Decision, fields []field) vector {
		return vector{name: name, fields: fields, want: want, format: Datadog, decision: d}
	}
	bad := func(name string, fields []field) vector { return vector{name: name, fields: fields, invalid: 1} }
	runVectors(t, []vector{
		good("without tid", short+"-00", Undecided, dd(decB, decSB)),
		good("with tid", long+"-00", Undecided, dd(decB, decSB, tid("_dd.p.tid="+high))),
		good("tid among tags", long+"-00", Undecided, dd(decB, decSB, tid("_dd.p.dm=-1, _dd.p.tid="+high+",_dd.p.x=a=b"))),
		good("other tags", short+"-00", Undecided, dd(decB, decSB, tid("_dd.p.dm=-1"))),
		good("empty tags", short+"-00", Undecided, dd(decB, decSB, tid(""))),
		good("user reject", short+"-00", Drop, dd(decB, decSB, priority("-1"))),
		good("auto reject", short+"-00", Drop, dd(decB, decSB, priority("0"))),
		good("auto keep", short+"-01", Keep, dd(decB, decSB, priority("1"))),
		good("user keep", short+"-01", Keep, dd(decB, decSB, priority("2"))),
		good("2^64-1", "00-0000000000000000ffffffffffffffff-"+spanB+"-00", Undecided, dd("18446744073709551615", decSB)),
		{name: "no parent", fields: one("x-datadog-trace-id", decB), want: "00-" + traceB + "-0000000000000000-00", format: Datadog, noSpan: true},
		{name: "unknown priority", fields: dd(decB, decSB, priority("7")), want: short + "-00", format: Datadog, invalid: 1},
		{name: "priority alone is no decision", fields: []field{priority("0")}},
		{name: "tags alone", fields: []field{tid("_dd.p.tid=" + high)}},
		bad("2^64", dd("18446744073709551616", decSB)),
		bad("2^64 as parent", dd(decB, "18446744073709551616")),
		bad("21 digits", dd("000000000000000000001", decSB)),
		bad("negative", dd("-1", decSB)),
		bad("plus", dd("+1", decSB)),
		bad("zero", dd("0", decSB)),
		bad("zero parent", dd(decB, "0")),
		bad("hex", dd(shortB, decSB)),
		bad("hex with prefix", dd("0x10", decSB)),
		bad("empty", dd("", decSB)),
		bad("parent alone", one("x-datadog-parent-id", decSB)),
		bad("tid of 15 digits", dd(decB, decSB, tid("_dd.p.tid="+high[1:]))),
		bad("tid is not hex", dd(decB, decSB, tid("_dd.p.tid=zzzzzzzzzzzzzzzz"))),
		bad("two tids", dd(decB, decSB, tid("_dd.p.tid="+high+",_dd.p.tid=0000000000000001"))),
		bad("tags above 2 KiB", dd(decB, decSB, tid(strings.Repeat("a=b,", 600)))),
		bad("repeated differing", dd(decB, decSB, field{"x-datadog-trace-id", "1"})),
	})
}

func TestXRayVectors(t *testing.T) {
	root := "Root=1-6741a3c2-0f7d2b94ce8153a6d80b1e47"
	want := "00-6741a3c20f7d2b94ce8153a6d80b1e47-" + spanA
	good := func(name, value, flags string, d Decision) vector {
		return vector{name: name, fields: one("X-Amzn-Trace-Id", value), want: want + flags, format: XRay, decision: d}
	}
	bad := func(name, value string) vector {
		return vector{name: name, fields: one("X-Amzn-Trace-Id", value), invalid: 1}
	}
	runVectors(t, []vector{
		good("in order", root+";Parent="+spanA+";Sampled=1", "-01", Keep),
		good("reordered", "Sampled=0;Parent="+spanA+";"+root, "-00", Drop),
		good("white space", root+"; Parent="+spanA+" ; Sampled=1 ;", "-01", Keep),
		good("no decision", root+";Parent="+spanA, "-00", Undecided),
		good("decision asked for", root+";Parent="+spanA+";Sampled=?", "-00", Undecided),
		good("self, lineage and unknown keys", "Self=1-6741a3c2-000000000000000000000001;"+root+";Parent="+spanA+";Sampled=1;Lineage=a87bd80c:1|68fd508a:5;k", "-01", Keep),
		{name: "root only", fields: one("x-amzn-trace-id", root)},
		{name: "root only, sampled", fields: one("x-amzn-trace-id", root+";Sampled=0")},
		bad("no root", "Parent="+spanA+";Sampled=1"),
		bad("root of version 2", "Root=2-6741a3c2-0f7d2b94ce8153a6d80b1e47;Parent="+spanA),
		bad("root without dash", "Root=1-6741a3c20f7d2b94ce8153a6d80b1e47;Parent="+spanA),
		bad("short root", "Root=1-6741a3c2-0f7d2b94ce8153a6d80b1e4;Parent="+spanA),
		bad("root is not hex", "Root=1-6741a3c2-0f7d2b94ce8153a6d80b1ezz;Parent="+spanA),
		bad("zero root", "Root=1-00000000-000000000000000000000000;Parent="+spanA),
		bad("two roots", root+";"+root+";Parent="+spanA),
		bad("short parent", root+";Parent="+spanA[1:]),
		bad("zero parent", root+";Parent=0000000000000000"),
		bad("two parents", root+";Parent="+spanA+";Parent="+spanB),
		bad("unknown decision", root+";Parent="+spanA+";Sampled=2"),
		bad("empty", ""),
	})
}
