// SPDX-License-Identifier: Apache-2.0

// Package spanbuilder turns exchanges into OpenTelemetry spans: it names them,
// joins them into traces by what their headers say, and gives them the
// attributes of the HTTP semantic conventions.
package spanbuilder

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"

	"go.opentelemetry.io/otel/trace"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/redact"
	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// Sink takes finished spans. It never blocks and owns them from then on.
type Sink interface {
	Offer(*export.Span) bool
}

// Config is what a Builder is made of.
type Config struct {
	Sampler         Sampler
	Formats         []tracecontext.Format // context formats in order of rank
	Correlation     []string              // correlation headers
	RequestHeaders  []string              // captured into attributes, names in any case
	ResponseHeaders []string
	Secrets         *redact.Names // query keys whose values are redacted
}

// Stats count what the Builder did, each span once.
type Stats struct {
	Offered         uint64 // spans handed to the sink
	Unsampled       uint64 // exchanges that the sampler dropped
	Unselected      uint64 // exchanges of processes that are not selected any more
	InvalidContexts uint64 // trace context headers that were present but not valid
}

// Builder makes spans. It is used by one goroutine.
type Builder struct {
	sampler   Sampler
	sink      Sink
	clock     *Clock
	extractor *tracecontext.Extractor
	request   capture
	response  capture
	secrets   *redact.Names
	ids       *mathrand.ChaCha8
	texts     texts
	stats     Stats
}

// New returns a Builder that hands its spans to sink.
func New(cfg Config, clock *Clock, sink Sink) (*Builder, error) {
	x, err := tracecontext.NewExtractor(cfg.Formats, cfg.Correlation)
	if err != nil {
		return nil, fmt.Errorf("set up trace context: %w", err)
	}
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("seed span ids: %w", err)
	}
	return &Builder{
		sampler: cfg.Sampler, sink: sink, clock: clock, extractor: x,
		request:  newCapture("http.request.header.", cfg.RequestHeaders),
		response: newCapture("http.response.header.", cfg.ResponseHeaders),
		secrets:  cfg.Secrets,
		ids:      mathrand.NewChaCha8(seed),
	}, nil
}

// Stats returns the counts so far.
func (b *Builder) Stats() Stats { return b.stats }

// Request starts the span of x with what the head of its request says.
func (b *Builder) Request(x *Exchange, h *httpparse.Head) {
	if x.Target == nil {
		return
	}
	span := export.GetSpan()
	b.extractor.Begin()
	host, agent := b.scan(h, span)
	if !b.link(span, b.extractor.Result()) {
		x.dropped = true
		export.PutSpan(span)
		return
	}
	x.span = span
	span.Resource, span.Revoked = x.Target.Resource, x.Target.Revoked
	span.Kind = trace.SpanKindClient
	if x.Server {
		span.Kind = trace.SpanKindServer
	}
	b.describe(x, h, host, agent)
}

// scan goes through the head's fields once: for the trace context, for the
// fields that become attributes, and for those that are captured.
func (b *Builder) scan(h *httpparse.Head, span *export.Span) (host, agent string) {
	fields := h.Fields()
	for i := range fields {
		f := &fields[i]
		b.extractor.Field(f.Name, f.Value)
		switch len(f.Name) {
		case len("Host"):
			if equalFold(f.Name, "host") {
				host = b.texts.of(f.Value)
			}
		case len("User-Agent"):
			if equalFold(f.Name, "user-agent") {
				agent = b.texts.of(f.Value)
			}
		}
	}
	span.Attrs = b.request.collect(span.Attrs, fields)
	return host, agent
}

// link gives the span its identity and parent, and says whether it is kept.
// A context in the request is followed exactly; without one the span is a root.
func (b *Builder) link(s *export.Span, r *tracecontext.Result) bool {
	b.stats.InvalidContexts += uint64(r.Invalid)
	if r.Parent.Format == tracecontext.FormatNone {
		b.newTraceID(&s.TraceID)
		s.Flags = trace.FlagsRandom
	} else {
		s.TraceID = r.Parent.TraceID
		s.TraceState = r.Parent.TraceState
		s.Flags = trace.TraceFlags(r.Parent.Flags) & trace.FlagsRandom
		if r.Parent.HasSpan {
			s.Parent = r.Parent.SpanID
			s.Remote = true
		}
	}
	if !b.sampler.Keep(s.TraceID, r.Decision) {
		return false
	}
	s.Flags |= trace.FlagsSampled
	b.newSpanID(&s.SpanID)
	s.Attrs = appendContext(s.Attrs, r)
	for _, l := range r.Links {
		s.Links = append(s.Links, export.Link{TraceID: l.TraceID, SpanID: l.SpanID, TraceState: l.TraceState})
	}
	return true
}

// Response adds what the head of the final response says.
func (b *Builder) Response(x *Exchange, h *httpparse.Head) {
	x.status = h.Status
	if x.span == nil {
		return
	}
	if len(b.response.names) > 0 {
		x.span.Attrs = b.response.collect(x.span.Attrs, h.Fields())
	}
}

// Done finishes the span of x and hands it on.
func (b *Builder) Done(x *Exchange) {
	switch {
	case x.dropped:
		b.stats.Unsampled++
		return
	case x.span == nil:
		b.stats.Unselected++
		return
	}
	s := x.span
	x.span = nil
	s.Start = b.clock.Wall(x.ReqStart)
	s.End = b.clock.Wall(max(x.End, x.ReqStart))
	conclude(x, s)
	b.stats.Offered++
	b.sink.Offer(s)
}

// Drop gives up x without a span. The caller counts why.
func (b *Builder) Drop(x *Exchange) {
	if x.span != nil {
		export.PutSpan(x.span)
		x.span = nil
	}
}

func (b *Builder) newTraceID(id *trace.TraceID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], b.ids.Uint64())
		binary.NativeEndian.PutUint64(id[8:], b.ids.Uint64())
	}
}

func (b *Builder) newSpanID(id *trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], b.ids.Uint64())
	}
}

// equalFold compares an ASCII field name with a lower-case one of equal length.
func equalFold(name []byte, lower string) bool {
	for i := range name {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
