// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"encoding/hex"
	"math"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
)

// TestContexts follows the context of each format: parent, flags, tracestate.
func TestContexts(t *testing.T) {
	tests := []struct {
		name, header string
		trace        string // "" if new
		parent       string // "" if none
		format       string
		state        string
		links        int
	}{
		{name: "none"},
		{"w3c", "traceparent: 00-" + traceID + "-" + spanID + "-01\r\ntracestate: a=1,b=2", traceID, spanID, "w3c", "a=1,b=2", 0},
		{"b3", "b3: " + traceID + "-" + spanID + "-1", traceID, spanID, "b3", "", 0},
		{"b3 of 64 bits", "b3: 8448eb211c80319c-" + spanID + "-1", "00000000000000008448eb211c80319c", spanID, "b3", "", 0},
		{"b3multi", "X-B3-TraceId: " + traceID + "\r\nX-B3-SpanId: " + spanID + "\r\nX-B3-Sampled: 1", traceID, spanID, "b3multi", "", 0},
		{"jaeger", "uber-trace-id: " + traceID + ":" + spanID + ":0:1", traceID, spanID, "jaeger", "", 0},
		{"datadog", "x-datadog-trace-id: 1\r\nx-datadog-parent-id: 2", "00000000000000000000000000000001", "0000000000000002", "datadog", "", 0},
		{"ottrace", "ot-tracer-traceid: 8448eb211c80319c\r\not-tracer-spanid: " + spanID + "\r\not-tracer-sampled: true",
			"00000000000000008448eb211c80319c", spanID, "ottrace", "", 0},
		{"xray", "X-Amzn-Trace-Id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" + spanID + ";Sampled=1", traceID, spanID, "xray", "", 0},
		{"two that agree", "traceparent: 00-" + traceID + "-" + spanID + "-01\r\nb3: " + traceID + "-" + spanID + "-1", traceID, spanID, "w3c", "", 0},
		{"two that differ", "traceparent: 00-" + traceID + "-" + spanID + "-01\r\nb3: " + traceID + "-00000000000000aa-1", traceID, spanID, "w3c", "", 1},
		{"invalid", "traceparent: 00-zz-" + spanID + "-01", "", "", "", "", 0},
	}
	for _, server := range []bool{true, false} {
		for _, tt := range tests {
			b, out := testBuilder(t, Config{})
			request := "GET / HTTP/1.1\r\n\r\n"
			if tt.header != "" {
				request = "GET / HTTP/1.1\r\n" + tt.header + "\r\n\r\n"
			}
			exchange(b, &Exchange{Server: server}, request, okHead)
			s := (*out)[0]
			if tt.trace != "" && s.TraceID.String() != tt.trace || !s.TraceID.IsValid() || !s.SpanID.IsValid() {
				t.Errorf("%s: trace %v, span %v; want %s", tt.name, s.TraceID, s.SpanID, tt.trace)
			}
			parent := ""
			if s.Parent.IsValid() {
				parent = s.Parent.String()
			}
			if parent != tt.parent || s.Remote != (parent != "") || s.TraceState != tt.state || len(s.Links) != tt.links {
				t.Errorf("%s: parent %q remote %v, tracestate %q, %d links; want %q, %q, %d",
					tt.name, parent, s.Remote, s.TraceState, len(s.Links), tt.parent, tt.state, tt.links)
			}
			format := ""
			for _, a := range s.Attrs {
				if a.Key == ContextFormatKey {
					format = a.Value.AsString()
				}
			}
			random := s.Flags&trace.FlagsRandom != 0
			if format != tt.format || !s.Flags.IsSampled() || random != (tt.trace == "") {
				t.Errorf("%s: format %q, flags %v; want %q", tt.name, format, s.Flags, tt.format)
			}
		}
	}
}

// TestSamplers: which spans are kept, by what the request's context decided.
func TestSamplers(t *testing.T) {
	const none, drop, keep = "", "traceparent: 00-" + traceID + "-" + spanID + "-00\r\n", "traceparent: 00-" + traceID + "-" + spanID + "-01\r\n"
	tests := []struct {
		sampler           string
		ratio             float64
		none, drop, keeps bool
	}{
		{"always_on", 0, true, true, true},
		{"always_off", 1, false, false, false},
		{"traceidratio", 1, true, true, true},
		{"traceidratio", 0, false, false, false},
		{"parentbased_always_on", 0, true, false, true},
		{"parentbased_always_off", 1, false, false, true},
		{"parentbased_traceidratio", 1, true, false, true},
		{"parentbased_traceidratio", 0, false, false, true},
	}
	for _, tt := range tests {
		s, err := NewSampler(tt.sampler, tt.ratio)
		if err != nil {
			t.Fatal(err)
		}
		for header, want := range map[string]bool{none: tt.none, drop: tt.drop, keep: tt.keeps} {
			b, out := testBuilder(t, Config{Sampler: s})
			exchange(b, &Exchange{Server: true}, "GET / HTTP/1.1\r\n"+header+"\r\n", okHead)
			if kept := len(*out) == 1; kept != want {
				t.Errorf("%s %v with %q: kept %v", tt.sampler, tt.ratio, header, kept)
			}
		}
	}
	if _, err := NewSampler("sometimes", 1); err == nil {
		t.Error("an unknown sampler is no error")
	}
}

// TestDecisionWithoutIDs: a header may decide without naming a span.
func TestDecisionWithoutIDs(t *testing.T) {
	s, err := NewSampler("parentbased_always_on", 1)
	if err != nil {
		t.Fatal(err)
	}
	b, out := testBuilder(t, Config{Sampler: s})
	exchange(b, &Exchange{Server: true}, "GET / HTTP/1.1\r\nb3: 0\r\n\r\n", okHead)
	if len(*out) != 0 || b.Stats().Unsampled != 1 {
		t.Errorf("%d spans, %+v", len(*out), b.Stats())
	}
}

// TestRatio: the part kept is the ratio, and the same trace is always decided alike.
func TestRatio(t *testing.T) {
	const n = 20000
	s, err := NewSampler("traceidratio", 0.25)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newIDs(nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for range n {
		id := g.TraceID()
		first := s.Keep(id, tracecontext.Undecided)
		if first {
			kept++
		}
		if s.Keep(id, tracecontext.Drop) != first {
			t.Fatal("decided otherwise the second time")
		}
	}
	// Six standard deviations of a binomial distribution.
	if dev := 6 * math.Sqrt(n*0.25*0.75); math.Abs(float64(kept)-n*0.25) > dev {
		t.Errorf("%d of %d kept, want %d±%.0f", kept, n, n/4, dev)
	}
}

// TestIDs: new identifiers do not repeat.
func TestIDs(t *testing.T) {
	g, err := newIDs(nil)
	if err != nil {
		t.Fatal(err)
	}
	traces, spans := map[trace.TraceID]bool{}, map[trace.SpanID]bool{}
	for range 10000 {
		id, sp := g.TraceID(), g.SpanID()
		if traces[id] || spans[sp] {
			t.Fatalf("repeated: %v %v", id, sp)
		}
		traces[id], spans[sp] = true, true
	}
}

// TestRequestIDs: correlation headers and sw8 become attributes.
func TestRequestIDs(t *testing.T) {
	b, out := testBuilder(t, Config{Correlation: []string{"x-correlation-id"}})
	exchange(b, &Exchange{Server: true}, "GET / HTTP/1.1\r\nX-Correlation-ID: abc\r\n\r\n", okHead)
	for _, a := range (*out)[0].Attrs {
		if a.Key == RequestIDKey && a.Value.AsString() == "abc" {
			return
		}
	}
	t.Errorf("no request id in\n%s", attrs((*out)[0]))
}

// TestFlagsKept: a parent's random flag is passed on, unknown flags are not.
func TestFlagsKept(t *testing.T) {
	for flags, want := range map[byte]trace.TraceFlags{0x01: 0x01, 0x03: 0x03, 0xff: 0x03} {
		b, out := testBuilder(t, Config{})
		exchange(b, &Exchange{Server: true},
			"GET / HTTP/1.1\r\ntraceparent: 00-"+traceID+"-"+spanID+"-"+hex.EncodeToString([]byte{flags})+"\r\n\r\n", okHead)
		if got := (*out)[0].Flags; got != want {
			t.Errorf("flags %02x: got %v, want %v", flags, got, want)
		}
	}
}
