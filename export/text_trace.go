// SPDX-License-Identifier: Apache-2.0

package export

import (
	"cmp"
	"encoding/hex"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// textTrace is the spans of one trace that wait to be printed.
type textTrace struct {
	id    trace.TraceID
	due   time.Time
	spans []textSpan
}

// textSpan is what is printed of a Span; it shares only strings with it.
type textSpan struct {
	id, parent       trace.SpanID
	start            int64
	kind             trace.SpanKind
	service          string
	name, target     string
	status, err      string
	duration         time.Duration
	firstKid, nextTo int // tree of indices into spans plus one; 0: none
	printed          bool
}

func newTextSpan(s *Span) textSpan {
	t := textSpan{
		id: s.SpanID, parent: s.Parent, start: s.Start, kind: s.Kind, name: s.Name,
		duration: time.Duration(s.End - s.Start), service: "-", status: "-",
	}
	if v, ok := s.Resource.Set().Value(semconv.ServiceNameKey); ok {
		t.service = v.AsString()
	}
	t.target = target(s)
	if v, ok := find(s, semconv.HTTPResponseStatusCodeKey); ok {
		t.status = v.String()
	}
	if s.Status == StatusError {
		t.err = "error"
		if v, ok := find(s, semconv.ErrorTypeKey); ok {
			t.err = v.String()
		}
	}
	return t
}

// target is what was asked for: a client's URL, or a server's path and query.
func target(s *Span) string {
	if v, ok := find(s, semconv.URLFullKey); ok {
		return v.AsString()
	}
	path, _ := find(s, semconv.URLPathKey)
	text := path.AsString()
	if q, ok := find(s, semconv.URLQueryKey); ok && q.AsString() != "" {
		text += "?" + q.AsString()
	}
	if s.Kind != trace.SpanKindClient {
		return text
	}
	host, _ := find(s, semconv.ServerAddressKey)
	if port, ok := find(s, semconv.ServerPortKey); ok {
		return net.JoinHostPort(host.AsString(), port.String()) + text
	}
	return host.AsString() + text
}

func find(s *Span, key attribute.Key) (attribute.Value, bool) {
	for _, attrs := range [...][]attribute.KeyValue{s.Attrs, s.Shared[0].Attributes(), s.Shared[1].Attributes()} {
		for i := range attrs {
			if attrs[i].Key == key {
				return attrs[i].Value, true
			}
		}
	}
	return attribute.Value{}, false
}

// append prints the trace: roots and orphans by start, each followed by its
// descendants.
func (t *textTrace) append(b []byte, loc *time.Location) []byte {
	slices.SortStableFunc(t.spans, func(a, b textSpan) int { return cmp.Compare(a.start, b.start) })
	byID := make(map[trace.SpanID]int, len(t.spans))
	for i := range t.spans {
		byID[t.spans[i].id] = i
	}
	var roots []int
	for i := len(t.spans) - 1; i >= 0; i-- { // backwards: kids are pushed in front
		s := &t.spans[i]
		p, ok := byID[s.parent]
		if !ok || p == i {
			roots = append(roots, i)
			continue
		}
		s.nextTo, t.spans[p].firstKid = t.spans[p].firstKid, i+1
	}
	for _, i := range slices.Backward(roots) {
		b = t.appendTree(b, i, 0, loc)
	}
	for i := range t.spans { // parents in a circle
		if !t.spans[i].printed {
			b = t.appendTree(b, i, 0, loc)
		}
	}
	return b
}

func (t *textTrace) appendTree(b []byte, i, depth int, loc *time.Location) []byte {
	s := &t.spans[i]
	if s.printed {
		return b
	}
	s.printed = true
	b = t.appendLine(b, s, depth, loc)
	for kid := s.firstKid; kid != 0; kid = t.spans[kid-1].nextTo {
		b = t.appendTree(b, kid-1, depth+1, loc)
	}
	return b
}

const (
	maxIndent    = 16
	maxFieldText = 200 // bytes of one field that are printed
)

func (t *textTrace) appendLine(b []byte, s *textSpan, depth int, loc *time.Location) []byte {
	b = time.Unix(0, s.start).In(loc).AppendFormat(b, "15:04:05.000000 ")
	if depth > 0 {
		b = append(b, strings.Repeat("  ", min(depth, maxIndent)-1)...)
		b = append(b, "└ "...)
	}
	b = append(b, strings.ToUpper(s.kind.String())...)
	for _, text := range []string{s.service, s.name, s.target, s.status} {
		if text != "" {
			b = appendPrintable(append(b, ' '), text)
		}
	}
	if s.err != "" {
		b = appendPrintable(append(b, " ERROR="...), s.err)
	}
	b = append(b, ' ')
	b = append(b, roundDuration(s.duration).String()...)
	b = hex.AppendEncode(append(b, " trace="...), t.id[:])
	b = hex.AppendEncode(append(b, " span="...), s.id[:])
	if depth == 0 && s.parent.IsValid() {
		b = hex.AppendEncode(append(b, " parent="...), s.parent[:])
	}
	return append(b, '\n')
}

// roundDuration keeps three to five digits.
func roundDuration(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

// appendPrintable appends s with everything escaped that does not print as
// itself, such as control characters, changes of writing direction and invalid
// bytes, and cuts what is very long.
func appendPrintable(b []byte, s string) []byte {
	limit := len(b) + maxFieldText
	for i, r := range s {
		if len(b) > limit {
			return append(b, "…"...)
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b = append(b, '\\', 'x', hexDigit(rune(s[i]>>4)), hexDigit(rune(s[i])))
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b = append(b, quoted[1:len(quoted)-1]...)
		}
	}
	return b
}
