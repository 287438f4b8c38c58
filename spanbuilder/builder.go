// SPDX-License-Identifier: Apache-2.0

// Package spanbuilder turns exchanges into OpenTelemetry spans: it names them,
// joins them into traces by what their headers say, and gives them the
// attributes of the HTTP semantic conventions.
package spanbuilder

import (
	"bytes"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/http2/hpack"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/link"
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
	Peers           Peers         // nil: addresses have no names
	Seed            *[32]byte     // of identifiers; nil: they cannot be foreseen

	Hold     time.Duration // how long a span may wait for news of its trace
	MaxHeld  int           // spans that wait at a time
	TraceAll bool          // trace processes that export spans themselves like any other
}

// Stats count what the Builder did, each span once.
type Stats struct {
	Offered         uint64 // spans handed to the sink
	Unsampled       uint64 // exchanges that the sampler dropped
	Instrumented    uint64 // exchanges that the process's own SDK makes spans of
	Unselected      uint64 // exchanges of processes that are not selected any more
	InvalidContexts uint64 // trace context headers that were present but not valid
	Links           link.Stats
}

// Builder makes spans. It is used by one goroutine.
type Builder struct {
	sampler    Sampler
	sink       Sink
	clock      *Clock
	extractor  *tracecontext.Extractor
	request    capture
	response   capture
	secrets    *redact.Names
	peers      Peers
	links      *link.Linker
	facts      link.Facts // of the request at hand: it would be allocated each time
	texts      texts
	exportCode []byte // exportMethod in Huffman code
	common     common
	stats      Stats
}

// New returns a Builder that hands its spans to sink.
func New(cfg Config, clock *Clock, sink Sink) (*Builder, error) {
	x, err := tracecontext.NewExtractor(cfg.Formats, cfg.Correlation)
	if err != nil {
		return nil, fmt.Errorf("set up trace context: %w", err)
	}
	ids, err := newIDs(cfg.Seed)
	if err != nil {
		return nil, err
	}
	b := &Builder{
		sampler: cfg.Sampler, sink: sink, clock: clock, extractor: x,
		request:    newCapture("http.request.header.", cfg.RequestHeaders),
		response:   newCapture("http.response.header.", cfg.ResponseHeaders),
		secrets:    cfg.Secrets,
		exportCode: hpack.AppendHuffmanString(nil, exportMethod),
		peers:      cfg.Peers,
	}
	b.links = link.New(link.Config{
		Hold: uint64(cfg.Hold), MaxHeld: cfg.MaxHeld, TraceAll: cfg.TraceAll,
		NewIDs: ids, Keep: cfg.Sampler.Keep, Emit: b.emit, Skip: b.skip,
	})
	return b, nil
}

// Stats returns the counts so far.
func (b *Builder) Stats() Stats {
	s := b.stats
	s.Links = b.links.Stats()
	return s
}

// Request starts the span of x with what the head of its request says.
func (b *Builder) Request(x *Exchange, h *httpparse.Head) {
	if x.Target == nil {
		return
	}
	span := export.GetSpan()
	b.extractor.Begin()
	host, agent := b.scan(h, span)
	r := b.extractor.Result()
	b.stats.InvalidContexts += uint64(r.Invalid)
	b.facts = link.Facts{
		Server: x.Server, TGID: x.TGID, TID: x.TID, Task: x.Task, ParentTask: x.ParentTask, Program: x.Target.Program,
		Ktime: x.ReqStart, Conn: x.Conn, First: x.First, Key: x.Key, Local: x.Local, Context: r, Method: h.Method, Target: h.Target, Agent: agent,
		Exports: !x.Server && exportsSpans(h),
	}
	x.node = b.links.Start(&b.facts)
	if keep, known := b.links.Decided(x.node); known && !keep {
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
	span.Attrs = appendContext(span.Attrs, r)
	b.describe(x, h, host, agent)
}

// plainHead is all that a Builder finds in the fields of a head without trace
// context, of which nothing is captured.
type plainHead struct {
	by          *Builder
	host, agent string
}

// Hidden starts an exchange that has no span, but may lead from one span to
// another. Drop ends it.
func (b *Builder) Hidden(x *Exchange) {
	if x.Target == nil {
		return
	}
	b.facts = link.Facts{
		Server: x.Server, TGID: x.TGID, TID: x.TID, Program: x.Target.Program, Ktime: x.ReqStart, Conn: x.Conn,
		First: x.First, Key: x.Key, Local: x.Local, Context: &tracecontext.Result{}, Hidden: true,
	}
	x.node = b.links.Start(&b.facts)
}

// scan goes through the head's fields once: for the trace context, for the
// fields that become attributes, and for those that are captured.
func (b *Builder) scan(h *httpparse.Head, span *export.Span) (host, agent string) {
	note := h.Note()
	if note != nil {
		if seen, ok := (*note).(*plainHead); ok && seen.by == b {
			return seen.host, seen.agent
		}
	}
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
	if note != nil && len(span.Attrs) == 0 && b.extractor.Empty() {
		*note = &plainHead{by: b, host: host, agent: agent}
	}
	return host, agent
}

// Response adds what the head of the final response says.
func (b *Builder) Response(x *Exchange, h *httpparse.Head) {
	x.status = h.Status
	if x.node != nil {
		b.links.Answered(x.node, x.AnswerTID, x.AnswerTask, x.RespStart)
	}
	if x.span == nil {
		return
	}
	if len(b.response.names) > 0 {
		x.span.Attrs = b.response.collect(x.span.Attrs, h.Fields())
	}
}

// Done finishes the span of x. It is handed on when its trace is known.
func (b *Builder) Done(x *Exchange) {
	switch {
	case x.node == nil:
		b.stats.Unselected++
		return
	case x.dropped:
		b.stats.Unsampled++
		b.links.Abandon(x.node)
		x.node = nil
		return
	}
	s := x.span
	x.span = nil
	s.Start = b.clock.Wall(x.ReqStart)
	s.End = b.clock.Wall(max(x.End, x.ReqStart))
	conclude(x, s)
	b.links.Finish(x.node, s)
	x.node = nil
}

// emit hands on a span whose place in its trace is known.
func (b *Builder) emit(s *export.Span, e link.Evidence) {
	if e.Inferred() {
		s.Attrs = append(s.Attrs, EvidenceKey.String(e.String()))
	}
	b.stats.Offered++
	b.sink.Offer(s)
}

func (b *Builder) skip(s *export.Span, why link.Skipped) {
	switch why {
	case link.Instrumented:
		b.stats.Instrumented++
	default:
		b.stats.Unsampled++
	}
	export.PutSpan(s)
}

// Drop gives up x without a span. The caller counts why.
func (b *Builder) Drop(x *Exchange) {
	if x.span != nil {
		export.PutSpan(x.span)
		x.span = nil
	}
	if x.node != nil {
		b.links.Abandon(x.node)
		x.node = nil
	}
}

// exportsSpans recognises a request that carries spans (OTLP/HTTP, "OTLP/HTTP Request").
func exportsSpans(h *httpparse.Head) bool {
	path, _, _ := bytes.Cut(h.Target, []byte("?"))
	return string(h.Method) == "POST" && bytes.HasSuffix(path, []byte("/v1/traces"))
}

// exportMethod is the method by which spans are sent (OTLP/gRPC).
const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// HTTP2 takes bytes that a process sent on a connection that it opened and that
// speaks HTTP/2. Only whether it sends spans of its own is looked for: the first
// request names the method as it is or in Huffman code (RFC 7541 section 5.2).
func (b *Builder) HTTP2(tgid uint32, ktime uint64, sent []byte) {
	if bytes.Contains(sent, b.exportCode) || bytes.Contains(sent, []byte(exportMethod)) {
		b.links.Exports(tgid, ktime)
	}
}

// Opened says that a thread of a traced process begins to connect.
func (b *Builder) Opened(t *Target, conn uint64, tgid, tid uint32, ktime uint64) {
	b.links.Opened(t.Program, conn, tgid, tid, ktime)
}

// Moved says that a thread of a single-threaded proxy moved bytes: of the
// request of x, which it read, or, if x is nil, others.
func (b *Builder) Moved(tgid, tid uint32, x *Exchange) {
	var n *link.Node
	if x != nil {
		n = x.node
	}
	b.links.Moved(tgid, tid, n)
}

// Tick lets spans go that have waited long enough. now is a ktime. It returns
// whether any still wait.
func (b *Builder) Tick(now uint64) bool {
	b.links.Tick(now)
	return b.links.Waiting()
}

// Flush lets all spans go that wait for news of their trace.
func (b *Builder) Flush() { b.links.Flush() }

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
