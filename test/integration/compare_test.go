// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// truthAndSpan is an exchange and the span that tells it right.
func truthAndSpan() (*expect, otlptest.Span) {
	start := time.Unix(1700000000, 0)
	e := &expect{
		label: "case", kind: otlptest.Server, traceID: strings.Repeat("a1", 16), parent: strings.Repeat("b2", 8),
		method: "POST", path: "/p", query: "q=1", status: 200, version: "1.1", userAgent: "raw/1",
		reqBody: exactly(5), respBody: exactly(7), serverAddr: "127.0.0.1", serverPort: 8080,
		peerAddr: "127.0.0.2", peerPort: 999, pids: []int{42}, start: start, end: start.Add(time.Second),
		headerSecret: "tiger", also: map[string]any{"x-more": "m", "x-none": nil}, name: "POST",
	}
	s := otlptest.Span{
		TraceID: e.traceID, SpanID: strings.Repeat("c3", 8), Parent: e.parent, Name: "POST", Kind: otlptest.Server,
		Start: start.Add(time.Millisecond), End: start.Add(time.Second - time.Millisecond),
		Resource: otlptest.Attrs{"service.name": "shop", "process.pid": int64(42)},
		Attrs: otlptest.Attrs{
			"x-more": "m", "http.request.method": "POST", "url.path": "/p", "url.query": "q=1", "url.scheme": "http",
			"http.response.status_code": int64(200), "network.protocol.version": "1.1", "user_agent.original": "raw/1",
			"http.request.body.size": int64(5), "http.response.body.size": int64(7), "server.address": "127.0.0.1",
			"server.port": int64(8080), "network.peer.address": "127.0.0.2", "client.address": "127.0.0.2", "network.peer.port": int64(999),
		},
	}
	return e, s
}

// TestCheckFindsEveryDifference proves of the comparison itself that it can fail.
func TestCheckFindsEveryDifference(t *testing.T) {
	e, s := truthAndSpan()
	if diffs := e.check(&s); len(diffs) != 0 {
		t.Fatalf("a right span is refused: %v", diffs)
	}
	spoil := map[string]func(*otlptest.Span){
		"kind": func(s *otlptest.Span) { s.Kind = otlptest.Client }, "trace id": func(s *otlptest.Span) { s.TraceID = strings.Repeat("0", 32) },
		"parent": func(s *otlptest.Span) { s.Parent = "" }, "tracestate": func(s *otlptest.Span) { s.TraceState = "x=1" },
		"ids": func(s *otlptest.Span) { s.SpanID = strings.Repeat("0", 16) }, "span events": func(s *otlptest.Span) { s.Events = 1 },
		"service.name": func(s *otlptest.Span) { s.Resource = otlptest.Attrs{"process.pid": int64(42)} },
		"process.pid":  func(s *otlptest.Span) { s.Resource = otlptest.Attrs{"service.name": "shop"} },
		"name":         func(s *otlptest.Span) { s.Name = "GET" }, "error.type": func(s *otlptest.Span) { s.Attrs["error.type"] = "x" },
		"span status": func(s *otlptest.Span) { s.Status = 2 }, "starts": func(s *otlptest.Span) { s.Start = s.Start.Add(-time.Second) },
		"ends": func(s *otlptest.Span) { s.End = s.Start.Add(time.Millisecond) }, "secret": func(s *otlptest.Span) { s.Attrs["x"] = "a tiger" },
		"x-none": func(s *otlptest.Span) { s.Attrs["x-none"] = "" }, "want exactly": func(s *otlptest.Span) { s.Name = "POST /p" },
		"before it starts": func(s *otlptest.Span) { s.End = s.Start.Add(-1) }, "method_original": func(s *otlptest.Span) { s.Attrs["http.request.method_original"] = "post" },
	}
	for key := range s.Attrs {
		spoil[key] = func(s *otlptest.Span) { s.Attrs[key] = "wrong" }
	}
	for what, f := range spoil {
		t.Run(what, func(t *testing.T) {
			e, s := truthAndSpan()
			f(&s)
			if diffs := strings.Join(e.check(&s), "\n"); !strings.Contains(diffs, what) {
				t.Errorf("not found, or called otherwise: %q", diffs)
			}
		})
	}
}

// TestCheckJudgesFaults: what a partial span must and must not say.
func TestCheckJudgesFaults(t *testing.T) {
	e, s := truthAndSpan()
	e.fault, e.status = faultRequired, 0
	if diffs := strings.Join(e.check(&s), "\n"); !strings.Contains(diffs, "status_code") || !strings.Contains(diffs, "error.type") {
		t.Errorf("an invented status and a missing error.type: %q", diffs)
	}
	delete(s.Attrs, "http.response.status_code")
	s.Attrs["error.type"] = "aborted"
	if diffs := e.check(&s); len(diffs) != 0 {
		t.Errorf("a right partial span is refused: %v", diffs)
	}
}

// TestCompareCounts: missing, doubled and unexplained spans are all found.
func TestCompareCounts(t *testing.T) {
	e, s := truthAndSpan()
	root := &expect{label: "root", kind: otlptest.Server, method: "POST", path: "/p", query: "q=1", fault: faultAny, anyStatus: true}
	cases := []struct {
		name    string
		missed  int
		entries []*expect
		spans   []otlptest.Span
		label   string
		want    string // part of a problem of label; empty: no problem at all
	}{
		{"right", 0, []*expect{e}, []otlptest.Span{s}, "case", ""},
		{"missing", 0, []*expect{e}, nil, "case", "no span"},
		{"doubled", 0, []*expect{e}, []otlptest.Span{s, s}, "case", "2 spans"},
		{"unexplained", 0, nil, []otlptest.Span{s}, unexpected, "POST"},
		{"a root takes no span with a parent", 0, []*expect{root, e}, []otlptest.Span{s}, "root", "no span"},
		{"missing, and missed", 1, []*expect{e}, nil, "case", ""},
		{"one missed, two missing", 1, []*expect{e, root}, nil, "root", "no span"},
		{"doubled, which no miss explains", 1, []*expect{e}, []otlptest.Span{s, s}, "case", "2 spans"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := &ledger{entries: c.entries, missed: c.missed}
			got := strings.Join(l.compare(c.spans)[c.label], "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
	l := &ledger{entries: []*expect{e, root}}
	if n := l.missing([]otlptest.Span{s}); n != 1 {
		t.Errorf("%d missing, want 1", n)
	}
}
