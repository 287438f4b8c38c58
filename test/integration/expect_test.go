// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// Tolerances of times, wide enough for two shared cores: a span may not start
// before its cause nor end after its effect (clock reading aside), and follows
// closely otherwise, unless some party had to wait for a processor (patience).
const (
	clockSlack = 20 * time.Millisecond
	schedSlack = 400 * time.Millisecond
)

// returnSlack is how long after its effect a call may be told to have sent. That is
// told when the call returns: the bytes were on their way before, and with a single
// processor whoever read them may have had it since.
func returnSlack() time.Duration {
	if runtime.NumCPU() == 1 {
		return schedSlack
	}
	return clockSlack
}

// size is what a body size attribute must be.
type size struct {
	n    int64
	mode sizeMode
}

type sizeMode uint8

const (
	sizeAny       sizeMode = iota // not checked
	sizeExact                     // present and n
	sizeIfPresent                 // n, or absent
	sizeZero                      // 0 or absent: there was no body
)

func exactly(n int64) size   { return size{n, sizeExact} }
func ifPresent(n int64) size { return size{n, sizeIfPresent} }
func noBody() size           { return size{0, sizeZero} }

// fault says what error.type must be.
type fault uint8

const (
	faultByStatus fault = iota // present iff the status is an error for this kind of span
	faultRequired              // the exchange was cut short
	faultAny                   // may or may not be
)

// expect is the ground truth for one span, as the other side saw the exchange.
type expect struct {
	label string // test case, for the report
	kind  otlptest.Kind

	traceID, parent string // of the traceparent that was sent; empty: the span is a root
	state           string // tracestate sent
	anyParent       bool   // the parent is not checked, only the trace id

	method       string // as sent
	path         string // url.path; empty: not checked
	query        string // url.query, after redaction
	status       int    // 0: no status line was sent, so the attribute must be absent
	anyStatus    bool   // the status is not checked
	version      string // of the request, "1.1"
	userAgent    string // empty: not checked
	reqBody      size
	respBody     size
	fault        fault
	serverAddr   string // empty: not checked
	serverPort   int    // 0: not checked
	peerAddr     string // network.peer.address; empty: not checked
	peerPort     int    // 0: not checked
	pids         []int  // process.pid is one of these, if any
	start, end   time.Time
	endOpen      bool           // only a lower bound of the end is known
	brisk        bool           // nothing in the exchange takes time by itself
	begun, ended time.Time      // of a CLIENT span: when its program was started and when it had ended
	optional     bool           // the span may be missing (the traffic itself was cut or unobserved)
	headerSecret string         // must appear nowhere in the span
	truncated    bool           // the span must say that it is; nothing else is checked
	name         string         // of the span; empty: the method, with or without a route
	also         map[string]any // further attributes; nil: absent
}

// key identifies the span that e expects: by the parent id that the request
// carried, or by the target of a root.
func (e *expect) key() string {
	if e.parent != "" {
		return spanKey(e.kind, e.traceID)
	}
	return fmt.Sprintf("%s root %s %s?%s", e.kind, e.method, e.path, e.query)
}

// spanKey: every request that carries a context has a trace id of its own.
func spanKey(k otlptest.Kind, traceID string) string { return fmt.Sprintf("%s %s", k, traceID) }

// rootKey is the key of a span without a parent from the wire.
func rootKey(s *otlptest.Span) string {
	method := s.Str("http.request.method_original")
	if method == "" {
		method = s.Str("http.request.method")
	}
	path, query := s.Str("url.path"), s.Str("url.query")
	if u, err := url.Parse(s.Str("url.full")); err == nil && u.Host != "" {
		path, query = u.EscapedPath(), u.RawQuery
	}
	return fmt.Sprintf("%s root %s %s?%s", s.Kind, method, path, query)
}

// check compares span s with the truth and describes every difference.
func (e *expect) check(s *otlptest.Span) []string {
	c := &differences{}
	if e.truncated {
		if s.Attrs["tracer_agent.truncated"] != true {
			c.addf("the span does not say that it is truncated")
		}
		return c.list
	}
	e.checkIdentity(c, s)
	e.checkRequest(c, s)
	e.checkOutcome(c, s)
	e.checkPlace(c, s)
	e.checkTimes(c, s)
	e.checkMore(c, s)
	if e.headerSecret != "" && strings.Contains(fmt.Sprint(s.Name, s.Attrs, s.Resource), e.headerSecret) {
		c.addf("the secret %q was exported", e.headerSecret)
	}
	return c.list
}

// differences collects complaints about one span.
type differences struct{ list []string }

func (d *differences) addf(format string, args ...any) {
	d.list = append(d.list, fmt.Sprintf(format, args...))
}

func (d *differences) str(s *otlptest.Span, key, want string) {
	if got, ok := s.Attrs[key]; !ok || got != want {
		d.addf("%s = %v, want %q", key, quoted(got), want)
	}
}

func (d *differences) num(s *otlptest.Span, key string, want int64) {
	if got, ok := s.Int(key); !ok || got != want {
		d.addf("%s = %v, want %d", key, s.Attrs[key], want)
	}
}

func (d *differences) absent(s *otlptest.Span, key string) {
	if v, ok := s.Attrs[key]; ok {
		d.addf("%s = %v, want it absent", key, quoted(v))
	}
}

func (d *differences) size(s *otlptest.Span, key string, want size) {
	got, present := s.Int(key)
	switch {
	case want.mode == sizeAny, want.mode == sizeIfPresent && !s.Has(key), want.mode == sizeZero && !s.Has(key):
	case !present || got != want.n:
		d.addf("%s = %v, want %d", key, s.Attrs[key], want.n)
	}
}

func quoted(v any) any {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return v
}

func (e *expect) checkIdentity(c *differences, s *otlptest.Span) {
	if s.Kind != e.kind {
		c.addf("kind %s, want %s", s.Kind, e.kind)
	}
	if e.traceID != "" && s.TraceID != e.traceID {
		c.addf("trace id %s, want %s", s.TraceID, e.traceID)
	}
	if !e.anyParent && s.Parent != e.parent {
		c.addf("parent %q, want %q", s.Parent, e.parent)
	}
	if s.TraceState != e.state {
		c.addf("tracestate %q, want %q", s.TraceState, e.state)
	}
	if len(s.TraceID) != 32 || len(s.SpanID) != 16 || strings.Trim(s.SpanID, "0") == "" || strings.Trim(s.TraceID, "0") == "" {
		c.addf("bad ids %q %q", s.TraceID, s.SpanID)
	}
	if s.Events != 0 {
		c.addf("%d span events, want none", s.Events)
	}
	if name, _ := s.Resource["service.name"].(string); name == "" {
		c.addf("resource has no service.name: %v", s.Resource)
	}
	if len(e.pids) > 0 && !oneOf(s.Resource["process.pid"], e.pids) {
		c.addf("process.pid = %v, want one of %v", s.Resource["process.pid"], e.pids)
	}
}

func oneOf(got any, want []int) bool {
	for _, w := range want {
		if got == int64(w) {
			return true
		}
	}
	return false
}

// knownMethods are the methods that semantic conventions name.
const knownMethods = " CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE "

func (e *expect) checkRequest(c *differences, s *otlptest.Span) {
	name := e.method
	if strings.Contains(knownMethods, " "+e.method+" ") {
		c.str(s, "http.request.method", e.method)
		c.absent(s, "http.request.method_original")
	} else {
		name = "HTTP"
		c.str(s, "http.request.method", "_OTHER")
		c.str(s, "http.request.method_original", e.method)
	}
	if s.Name != name && !strings.HasPrefix(s.Name, name+" ") {
		c.addf("name %q, want %q with or without a route", s.Name, name)
	}
	if e.path != "" {
		e.checkTarget(c, s)
	}
	if e.version != "" {
		c.str(s, "network.protocol.version", e.version)
	}
	if e.userAgent != "" {
		c.str(s, "user_agent.original", e.userAgent)
	}
	c.size(s, "http.request.body.size", e.reqBody)
}

// checkTarget: a SERVER span has path and query; a CLIENT span has at least the
// full URL or the same two, and whatever it has is right.
func (e *expect) checkTarget(c *differences, s *otlptest.Span) {
	full := s.Str("url.full")
	if e.kind == otlptest.Client && full != "" {
		target := e.path
		if e.query != "" {
			target += "?" + e.query
		}
		if want := fmt.Sprintf("http://%s%s", hostPort(e.serverAddr, e.serverPort), target); e.serverAddr != "" && full != want {
			c.addf("url.full = %q, want %q", full, want)
		}
		if !s.Has("url.path") {
			return
		}
	}
	c.str(s, "url.path", e.path)
	c.str(s, "url.scheme", "http")
	if e.query == "" {
		c.absent(s, "url.query")
	} else {
		c.str(s, "url.query", e.query)
	}
}

func hostPort(addr string, port int) string {
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	if port == 80 {
		return addr
	}
	return fmt.Sprintf("%s:%d", addr, port)
}

func (e *expect) checkOutcome(c *differences, s *otlptest.Span) {
	if e.anyStatus {
		return
	}
	if e.status == 0 {
		c.absent(s, "http.response.status_code")
	} else {
		c.num(s, "http.response.status_code", int64(e.status))
	}
	c.size(s, "http.response.body.size", e.respBody)
	switch e.fault {
	case faultRequired:
		if s.Str("error.type") == "" {
			c.addf("error.type is absent on a partial exchange")
		}
	case faultByStatus:
		e.checkErrorStatus(c, s)
	}
}

// checkErrorStatus: semantic conventions make 5xx an error of a SERVER span and
// 4xx and 5xx an error of a CLIENT span, with the code as error.type.
func (e *expect) checkErrorStatus(c *differences, s *otlptest.Span) {
	bad := e.status >= 500 || e.kind == otlptest.Client && e.status >= 400
	if bad {
		c.str(s, "error.type", strconv.Itoa(e.status))
	} else {
		c.absent(s, "error.type")
	}
	if got := s.Status == tracepb.Status_STATUS_CODE_ERROR; got != bad {
		c.addf("span status %s with HTTP status %d", s.Status, e.status)
	}
}

// checkMore looks at what single tests ask for.
func (e *expect) checkMore(c *differences, s *otlptest.Span) {
	if e.name != "" && s.Name != e.name {
		c.addf("name %q, want exactly %q", s.Name, e.name)
	}
	for key, want := range e.also {
		if want == nil {
			c.absent(s, key)
		} else if got, ok := s.Attrs[key]; !ok || fmt.Sprint(got) != fmt.Sprint(want) {
			c.addf("%s = %v, want %v", key, quoted(got), want)
		}
	}
}

func (e *expect) checkPlace(c *differences, s *otlptest.Span) {
	if e.serverAddr != "" {
		c.str(s, "server.address", e.serverAddr)
	}
	if e.serverPort != 0 {
		c.num(s, "server.port", int64(e.serverPort))
	}
	if e.peerAddr != "" {
		c.str(s, "network.peer.address", e.peerAddr)
		if e.kind == otlptest.Server {
			c.str(s, "client.address", e.peerAddr)
		}
	}
	if e.peerPort != 0 {
		c.num(s, "network.peer.port", int64(e.peerPort))
	}
}

func (e *expect) checkTimes(c *differences, s *otlptest.Span) {
	if s.End.Before(s.Start) {
		c.addf("ends %s before it starts", s.Start.Sub(s.End))
	}
	// A server reads after the truth was written and answers before it was
	// read; a client writes before the truth was read and reads after it.
	waited := e.patience()
	early, late := clockSlack, waited
	if e.kind == otlptest.Client {
		early, late = waited, returnSlack()
	}
	if d := s.Start.Sub(e.start); !e.start.IsZero() && (d < -early || d > late) {
		c.addf("starts %s after the request's first byte", d)
	}
	early, late = waited, returnSlack()
	if e.kind == otlptest.Client {
		early, late = schedSlack, waited
	}
	if d := s.End.Sub(e.end); !e.end.IsZero() && (d < -early || d > late && !e.endOpen) {
		c.addf("ends %s after the response's last byte", d)
	}
}

// patience is how far the span's times may be from the truth's in the direction
// in which only waiting for a processor takes them: a brisk exchange that took
// long was waiting all the while.
func (e *expect) patience() time.Duration {
	switch {
	case !e.begun.IsZero(): // the truth is the server's: the client began before it and ended after
		return max(schedSlack, e.start.Sub(e.begun), e.ended.Sub(e.end))
	case e.brisk:
		return max(schedSlack, e.end.Sub(e.start))
	}
	return schedSlack
}
