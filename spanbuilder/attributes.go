// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"net/netip"
	"slices"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// Attributes of the agent's own, for what the semantic conventions have no name for.
const (
	// ContextFormatKey names the header format that the parent was taken from.
	ContextFormatKey = attribute.Key("tracer_agent.context.format")
	// RequestIDKey is the correlation id that the request carried.
	RequestIDKey = attribute.Key("tracer_agent.request_id")
	// EndKey is "inferred" where the end of the response was not told by its
	// framing, and "unknown" where it could not be followed and the time is
	// that of the last byte seen.
	EndKey = attribute.Key("tracer_agent.end")
	// EvidenceKey names what the parent was inferred from, where headers did not
	// tell it (package link).
	EvidenceKey = attribute.Key("tracer_agent.link")
	// TruncatedKey is true where a limit cut the request's head: attributes,
	// or the trace context, may be missing.
	TruncatedKey = attribute.Key("tracer_agent.truncated")

	sw8TraceKey   = attribute.Key("sw8.trace_id")
	sw8SegmentKey = attribute.Key("sw8.segment_id")
	sw8SpanKey    = attribute.Key("sw8.span_id")
)

// method returns the canonical name of a method that the semantic conventions
// know, which are case-sensitive (http.request.method).
func method(m []byte) (string, bool) {
	switch string(m) {
	case "GET":
		return "GET", true
	case "POST":
		return "POST", true
	case "HEAD":
		return "HEAD", true
	case "PUT":
		return "PUT", true
	case "DELETE":
		return "DELETE", true
	case "OPTIONS":
		return "OPTIONS", true
	case "PATCH":
		return "PATCH", true
	case "CONNECT":
		return "CONNECT", true
	case "TRACE":
		return "TRACE", true
	case "QUERY":
		return "QUERY", true
	}
	return "_OTHER", false
}

func version(h *httpparse.Head) string {
	switch {
	case h.Major == 1 && h.Minor == 1:
		return "1.1"
	case h.Major == 1 && h.Minor == 0:
		return "1.0"
	}
	return strconv.Itoa(int(h.Major)) + "." + strconv.Itoa(int(h.Minor))
}

// describe names the span and adds the attributes that the request's head gives.
func (b *Builder) describe(x *Exchange, h *httpparse.Head, host, agent string) {
	s, note := x.span, h.WholeNote()
	s.Shared[1] = b.ends(x.Peer, x.Server)
	if note != nil {
		if seen, ok := (*note).(*described); ok && seen.by == b && seen.server == x.Server && seen.routes == x.Target.Routes && seen.peer == x.Peer.name {
			s.Name, s.Shared[0] = seen.name, seen.set
			return
		}
	}
	own := len(s.Attrs)
	common := b.describeAnew(x, h, host, agent)
	if note != nil && common.named { // all of it follows from the head
		all := slices.Concat(common.set.Attributes(), s.Attrs[own:])
		*note = &described{by: b, server: x.Server, routes: x.Target.Routes, peer: x.Peer.name, name: s.Name, set: export.NewAttrSet(all)}
	}
}

// describeAnew is describe for a head that was not seen before. It returns what
// the span shares with those of other targets.
func (b *Builder) describeAnew(x *Exchange, h *httpparse.Head, host, agent string) *commonAttrs {
	s := x.span
	name, known := method(h.Method)
	a := s.Attrs
	s.Name = name
	if !known {
		a = append(a, semconv.HTTPRequestMethodOriginalKey.String(string(h.Method)))
		s.Name = "HTTP"
	}
	t := b.splitTarget(h.Target, name == "CONNECT")
	if t.authority != "" {
		host = t.authority
	}
	shared := b.common.of(&headKey{server: x.Server, method: name, scheme: t.schemeName(), host: serverHost(x, host), agent: agent, version: version(h)})
	s.Shared[0] = shared.set
	if x.Server {
		a = b.serverURL(a, t)
	} else {
		a = b.clientURL(a, x, t, host)
	}
	if x.Target.Routes != nil {
		if route, ok := x.Target.Routes.Match(t.path); ok && x.Server {
			a = append(a, semconv.HTTPRouteKey.String(route))
			s.Name += " " + route
		}
	}
	if !shared.named {
		a = b.appendServer(a, x)
	}
	if h.Truncated {
		a = append(a, TruncatedKey.Bool(true))
	}
	s.Attrs = a
	return shared
}

// appendServer adds server.address and server.port of a request that does not
// name them: those of the connection (HTTP server and client spans, "server.address").
func (b *Builder) appendServer(a []attribute.KeyValue, x *Exchange) []attribute.KeyValue {
	if x.Peer.IsUnix() {
		if x.Peer.UnixPath == "" {
			return a
		}
		return append(a, semconv.ServerAddressKey.String(x.Peer.UnixPath))
	}
	end := x.Peer.Remote
	if x.Server {
		end = x.Peer.Local
	}
	return append(a, semconv.ServerAddressKey.String(b.address(end)), semconv.ServerPortKey.Int(int(end.Port())))
}

// ends returns what spans say of the other end of the connection.
func (b *Builder) ends(p *Peer, server bool) *export.AttrSet {
	if p.ends == nil || p.server != server {
		p.ends, p.server = export.NewAttrSet(b.endAttrs(p, server)), server
	}
	return p.ends
}

func (b *Builder) endAttrs(p *Peer, server bool) []attribute.KeyValue {
	if p.IsUnix() {
		if p.UnixPath == "" {
			return []attribute.KeyValue{semconv.NetworkTransportUnix}
		}
		return []attribute.KeyValue{semconv.NetworkTransportUnix, semconv.NetworkPeerAddressKey.String(p.UnixPath)}
	}
	remote := b.address(p.Remote)
	a := []attribute.KeyValue{semconv.NetworkPeerAddressKey.String(remote), semconv.NetworkPeerPortKey.Int(int(p.Remote.Port()))}
	if server {
		a = append(a, semconv.ClientAddressKey.String(remote))
	}
	if b.peers != nil {
		var attrs []attribute.KeyValue
		p.name, attrs = b.peers(p.Remote.Addr().Unmap())
		a = append(a, attrs...)
	}
	return a
}

// address returns an address as text.
func (b *Builder) address(end netip.AddrPort) string {
	var room [64]byte
	return b.texts.of(end.Addr().Unmap().AppendTo(room[:0]))
}

// appendContext records what the request's context headers said.
func appendContext(a []attribute.KeyValue, r *tracecontext.Result) []attribute.KeyValue {
	if r.Parent.Format != tracecontext.FormatNone {
		a = append(a, ContextFormatKey.String(r.Parent.Format.String()))
	}
	if r.RequestID != "" {
		a = append(a, RequestIDKey.String(r.RequestID))
	}
	if r.SW8 != nil {
		a = append(a, sw8TraceKey.String(r.SW8.TraceID), sw8SegmentKey.String(r.SW8.SegmentID), sw8SpanKey.Int64(int64(r.SW8.SpanID)))
	}
	return a
}

// conclude adds what is known at the end. Nothing is said of what was not seen.
func conclude(x *Exchange, s *export.Span) {
	a := s.Attrs
	if x.ReqBody > 0 {
		a = append(a, semconv.HTTPRequestBodySizeKey.Int64(x.ReqBody))
	}
	if x.HasResponse() {
		a = append(a, semconv.HTTPResponseStatusCodeKey.Int(x.status))
		if x.RespBody >= 0 && x.Outcome <= Inferred {
			a = append(a, semconv.HTTPResponseBodySizeKey.Int64(x.RespBody))
		}
	}
	switch x.Outcome {
	case Inferred:
		a = append(a, EndKey.String("inferred"))
	case ResponseBodyLost:
		a = append(a, EndKey.String("unknown"))
	}
	if kind := errorType(x); kind != "" {
		a = append(a, semconv.ErrorTypeKey.String(kind))
		s.Status = export.StatusError
	}
	s.Attrs = a
}

// errorType returns the value of error.type, "" if the exchange did not fail.
// 4xx is the client's error only (HTTP spans, "Status").
func errorType(x *Exchange) string {
	switch x.Outcome {
	case NoResponse:
		return "no_response"
	case RequestCut:
		return "request_incomplete"
	case ResponseCut:
		return "response_incomplete"
	case ConnectionReset:
		return "connection_reset"
	}
	if x.status >= 500 || (x.status >= 400 && !x.Server) {
		return strconv.Itoa(x.status)
	}
	return ""
}
