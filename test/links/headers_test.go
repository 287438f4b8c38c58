// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// ids are those of a trace context, as spans spell them.
type ids struct{ trace, span string }

func (c ids) traceBytes() []byte { return unhex(c.trace) }
func (c ids) spanBytes() []byte  { return unhex(c.span) }
func (c ids) low() uint64        { return binary.BigEndian.Uint64(c.traceBytes()[8:]) }
func (c ids) spanNumber() uint64 { return binary.BigEndian.Uint64(c.spanBytes()) }
func (c ids) short() ids         { return ids{"0000000000000000" + c.trace[16:], c.span} }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // the test made it
	}
	return b
}

// newIDs makes a context that is the same in each run.
func newIDs(random *rand.Rand) ids {
	return ids{fmt.Sprintf("%016x%016x", random.Uint64()|1, random.Uint64()|1), fmt.Sprintf("%016x", random.Uint64()|1)}
}

// format writes a context into header fields. With half the field has room for
// 64 bits of the trace id only.
type format struct {
	name   string
	half   bool
	fields func(ids) [][2]string
}

func formats() []format {
	one := func(name, value string) [][2]string { return [][2]string{{name, value}} }
	return []format{
		{"w3c", false, func(c ids) [][2]string { return one("traceparent", "00-"+c.trace+"-"+c.span+"-01") }},
		{"b3", false, func(c ids) [][2]string { return one("b3", c.trace+"-"+c.span+"-1") }},
		{"b3-64", true, func(c ids) [][2]string { return one("b3", c.trace[16:]+"-"+c.span+"-1") }},
		{"b3multi", false, func(c ids) [][2]string {
			return [][2]string{{"X-B3-TraceId", c.trace}, {"X-B3-SpanId", c.span}, {"X-B3-Sampled", "1"}}
		}},
		{"jaeger", false, func(c ids) [][2]string { return one("uber-trace-id", c.trace+":"+c.span+":0:1") }},
		{"datadog", false, func(c ids) [][2]string {
			return append(datadog(c), [2]string{"x-datadog-tags", "_dd.p.tid=" + c.trace[:16]})
		}},
		{"datadog-64", true, datadog},
		{"ottrace", false, func(c ids) [][2]string {
			return [][2]string{{"ot-tracer-traceid", c.trace}, {"ot-tracer-spanid", c.span}, {"ot-tracer-sampled", "true"}}
		}},
		{"lightstep", true, func(c ids) [][2]string { return one("x-ot-span-context", lightstep(c)) }},
		{"xray", false, func(c ids) [][2]string {
			return one("X-Amzn-Trace-Id", "Root=1-"+c.trace[:8]+"-"+c.trace[8:]+";Parent="+c.span+";Sampled=1")
		}},
		{"grpc", false, func(c ids) [][2]string {
			b := append(append(append([]byte{0, 0}, c.traceBytes()...), 1), c.spanBytes()...)
			return one("grpc-trace-bin", base64.StdEncoding.EncodeToString(append(b, 2, 1)))
		}},
	}
}

func datadog(c ids) [][2]string {
	return [][2]string{{"x-datadog-trace-id", strconv.FormatUint(c.low(), 10)},
		{"x-datadog-parent-id", strconv.FormatUint(c.spanNumber(), 10)}, {"x-datadog-sampling-priority", "1"}}
}

// lightstep is a protobuf message of two fixed64 fields and a bool, within field 2.
func lightstep(c ids) string {
	b := binary.LittleEndian.AppendUint64([]byte{0x09}, c.low())
	b = binary.LittleEndian.AppendUint64(append(b, 0x11), c.spanNumber())
	b = append(b, 0x18, 1)
	return base64.StdEncoding.EncodeToString(append([]byte{0x12, byte(len(b))}, b...))
}

// how says what a service sends downstream, given what it received.
type how struct {
	name string
	sent func(random *rand.Rand, received ids) ids
	// passed: the context is the one that was received, and links the call to the request.
	passed bool
}

func hows() []how {
	return []how{
		{"passed through", func(_ *rand.Rand, received ids) ids { return received }, true},
		{"made by an SDK", func(random *rand.Rand, received ids) ids { return ids{received.trace, newIDs(random).span} }, false},
		{"another trace", func(random *rand.Rand, _ ids) ids { return newIDs(random) }, false},
	}
}

// TestHeaders checks where spans hang that carry a context, for every format.
// In all cases the request's SERVER span is a child of what its headers name.
func TestHeaders(t *testing.T) {
	s, _ := goWorld(t, nil)
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block})}
	random := rand.New(rand.NewPCG(1, 2))
	for _, f := range formats() {
		for _, h := range hows() {
			t.Run(f.name+"/"+h.name, func(t *testing.T) {
				w.checkHeaders(t, f, h, random)
			})
		}
	}
}

// headerCase is a request with the contexts that it carries and causes.
type headerCase struct {
	Request
	received, sent ids
}

func (w *world) checkHeaders(t *testing.T, f format, h how, random *rand.Rand) {
	t.Helper()
	plan := Plan(f.name+"-"+h.name, 40, 10, true, Work(pause, "seq", "par"))
	cases := make([]headerCase, len(plan))
	for i := range plan {
		received := newIDs(random)
		c := headerCase{received: received, sent: h.sent(random, received)}
		plan[i].Header = f.fields(c.received)
		for _, field := range f.fields(c.sent) {
			plan[i].Header = append(plan[i].Header, [2]string{"x-send", field[0] + ": " + field[1]})
		}
		if f.half {
			c.received, c.sent = c.received.short(), c.sent.short()
		}
		c.Request = plan[i]
		cases[i] = c
	}
	driver := &Driver{Addr: w.addr, Connections: 8}
	if _, err := driver.Send(t.Context(), plan); err != nil {
		t.Fatalf("the traffic failed: %.2000s", err)
	}
	found := map[truthKey][]otlptest.Span{}
	for _, span := range await(w.agent.sink, plan) {
		key := truthKey{TruthID(&span), span.Kind}
		found[key] = append(found[key], span)
	}
	for _, c := range cases {
		c.check(t, found, h)
		if t.Failed() {
			return
		}
	}
}

func (c *headerCase) check(t *testing.T, found map[truthKey][]otlptest.Span, h how) {
	t.Helper()
	server := one(t, found, c.ID, otlptest.Server)
	expectParent(t, server, c.received.trace, c.received.span)
	for n := range c.Calls {
		client := one(t, found, c.CallID(n), otlptest.Client)
		leaf := one(t, found, c.CallID(n), otlptest.Server)
		if h.passed {
			expectParent(t, client, c.received.trace, server.SpanID)
			expectParent(t, leaf, c.received.trace, client.SpanID)
			continue
		}
		expectParent(t, client, c.sent.trace, c.sent.span)
		// The leaf hangs on what its headers name, directly or by the CLIENT span that sent them.
		expectParent(t, leaf, c.sent.trace, c.sent.span, client.SpanID)
	}
}

func one(t *testing.T, found map[truthKey][]otlptest.Span, id string, kind otlptest.Kind) *otlptest.Span {
	t.Helper()
	list := found[truthKey{id, kind}]
	if len(list) != 1 {
		t.Fatalf("%d %s spans of %s, want 1", len(list), name(kind), id)
	}
	return &list[0]
}

func expectParent(t *testing.T, s *otlptest.Span, trace string, parents ...string) {
	t.Helper()
	if s.TraceID != trace {
		t.Errorf("trace is %s, want %s: %s", s.TraceID, trace, s)
	}
	for _, p := range parents {
		if s.Parent == p {
			return
		}
	}
	t.Errorf("parent is %q, want %q: %s", s.Parent, parents, s)
}

// TestSharedContext sends many requests with one and the same context, which
// the service passes on. Which of them a call serves is not in the headers.
func TestSharedContext(t *testing.T) {
	s, r := goWorld(t, Work(pause, "seq", "par", "workers"))
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block})}
	// While the request that starts the workers is open, what they do for others looks like its own.
	w.measure(t, Plan("warm", 10, 10, true, Work(pause, "workers")), 1)
	context := newIDs(rand.New(rand.NewPCG(3, 4)))
	field := formats()[0].fields(context)[0]
	plan := Plan("shared", 600, 10, true, r.shape)
	for i := range plan {
		plan[i].Header = [][2]string{field, {"x-send", field[0] + ": " + field[1]}}
	}
	score := w.measureNamed(t, plan, 8, context.span)
	checkWrong(t, score)
}

// measureNamed is measure where a parent that was named by a header counts as none.
func (w *world) measureNamed(t *testing.T, plan []Request, connections int, named string) *Score {
	t.Helper()
	driver := &Driver{Addr: w.addr, Connections: connections}
	if _, err := driver.Send(t.Context(), plan); err != nil {
		t.Fatalf("the traffic failed: %.2000s", err)
	}
	spans := await(w.agent.sink, plan)
	for i := range spans {
		if spans[i].Parent == named {
			spans[i].Parent = ""
		}
	}
	return Judge(plan, spans)
}

// TestRequestID passes a correlation id through from goroutines that serve all
// requests by turns: nothing else tells whom they work for.
func TestRequestID(t *testing.T) {
	s, r := goWorld(t, Work(pause, "workers"))
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block})}
	plan := Plan("id", 1000, 10, true, r.shape)
	for i := range plan {
		id := fmt.Sprintf("id-%d", i)
		plan[i].Header = [][2]string{{"x-request-id", id}, {"x-send", "x-request-id: " + id}}
	}
	report(t, &Row{Runtime: "request ids", Concurrency: 64, Score: *w.measure(t, plan, 64), Bars: exact.bars(64)})
}
