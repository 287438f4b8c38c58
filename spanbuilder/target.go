// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"bytes"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/tracer-agent/tracer-agent/internal/redact"
)

// target is a request-target in its parts (RFC 9112 section 3.2).
type target struct {
	scheme    string // "" but in absolute-form
	userinfo  string // what stands for user information in a URL: REDACTED, an at sign
	authority string // without userinfo; "" in origin-form and asterisk-form
	path      string
	query     string
}

// splitTarget takes a request-target apart. The fragment, which should not be
// there, goes with what it is attached to.
func (b *Builder) splitTarget(raw []byte, connect bool) target {
	if !connect && len(raw) > 0 && raw[0] == '/' { // origin-form, nearly always
		path, query, _ := bytes.Cut(raw, []byte("?"))
		return target{path: b.texts.of(path), query: string(query)}
	}
	return splitTarget(raw, connect)
}

// splitTarget is [Builder.splitTarget] for any form.
func splitTarget(b []byte, connect bool) target {
	if connect {
		return target{authority: redact.UserInfo(string(b))} // authority-form
	}
	raw := string(b)
	var t target
	if i := strings.Index(raw, "://"); i > 0 && raw[0] != '/' { // absolute-form
		t.scheme = strings.ToLower(raw[:i])
		bare := redact.UserInfo(raw)
		t.userinfo = hideUser(raw[i+3 : i+3+len(raw)-len(bare)])
		raw = bare[i+3:]
		end := strings.IndexAny(raw, "/?")
		if end < 0 {
			end = len(raw)
		}
		t.authority = raw[:end]
		raw = raw[end:]
		if raw == "" {
			raw = "/"
		}
	}
	t.path, t.query, _ = strings.Cut(raw, "?")
	return t
}

// hideUser returns what is shown of user information, which ends with an at
// sign ("url.full" in the semantic conventions).
func hideUser(info string) string {
	switch {
	case info == "":
		return ""
	case strings.Contains(info, ":"):
		return redact.Redacted + ":" + redact.Redacted + "@"
	}
	return redact.Redacted + "@"
}

// schemeName is the scheme of a URL, "http" if it names none.
func (t target) schemeName() string {
	if t.scheme == "" {
		return "http"
	}
	return t.scheme
}

// defaultPort is the port of a URL of that scheme that names none.
func defaultPort(scheme string) int {
	if scheme == "https" {
		return 443
	}
	return 80
}

// splitHost takes a Host field or authority apart; port is 0 if none is given.
func splitHost(host string) (name string, port int) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return strings.Trim(host, "[]"), 0
	}
	port, err := strconv.Atoi(host[i+1:])
	if err != nil || port < 0 || port > 65535 {
		port = 0
	}
	return strings.Trim(host[:i], "[]"), port
}

func (b *Builder) serverURL(a []attribute.KeyValue, t target) []attribute.KeyValue {
	if t.path != "" {
		a = append(a, semconv.URLPathKey.String(t.path))
	}
	if t.query != "" {
		a = append(a, semconv.URLQueryKey.String(redact.Query(t.query, b.secrets)))
	}
	return a
}

func (b *Builder) clientURL(a []attribute.KeyValue, x *Exchange, t target, host string) []attribute.KeyValue {
	if t.path == "" { // CONNECT asks for a tunnel, not for a resource
		return a
	}
	if host == "" {
		host = x.Peer.Remote.String()
		if x.Peer.IsUnix() {
			host = "localhost"
		}
	}
	scheme := t.schemeName()
	var u strings.Builder
	u.Grow(len(scheme) + len(t.userinfo) + len(host) + len(t.path) + len(t.query) + 4)
	u.WriteString(scheme)
	u.WriteString("://")
	u.WriteString(t.userinfo)
	u.WriteString(host)
	if t.path != "*" {
		u.WriteString(t.path)
	}
	if t.query != "" {
		u.WriteByte('?')
		u.WriteString(redact.Query(t.query, b.secrets))
	}
	return append(a, semconv.URLFullKey.String(u.String()))
}
