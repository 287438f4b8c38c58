// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tracer-agent/tracer-agent/internal/redact"
	"github.com/tracer-agent/tracer-agent/internal/route"
)

// secretHeaders carry credentials: they are captured only with an explicit
// opt-in. Lower case, as header names compare without case.
func secretHeaders() []string {
	return []string{"authorization", "cookie", "set-cookie", "proxy-authorization"}
}

func (r *report) selectors(c Config) {
	for i, entry := range c.Instrument {
		path := fmt.Sprintf("instrument[%d]", i)
		r.selector(path, entry.Selector)
		r.routes(path+".routes", entry.Routes)
	}
	for i, entry := range c.Exclude {
		r.selector(fmt.Sprintf("exclude[%d]", i), entry)
	}
}

func (r *report) selector(path string, s Selector) {
	if s.Empty() {
		r.add(path, "an entry needs at least one of ports, exe, cmdline, pids, units, containers, users, namespaces, namespace_labels, pod_labels, pod_annotations, workloads")
	}
	for i, container := range s.Containers {
		if strings.TrimSpace(container) == "" || strings.ContainsAny(container, "*?[]{}/ ") {
			r.add(fmt.Sprintf("%s.containers[%d]", path, i), "%q is neither the name nor the id of a container", container)
		}
	}
	for i, user := range s.Users {
		if strings.TrimSpace(user) == "" || strings.ContainsAny(user, ": \t") {
			r.add(fmt.Sprintf("%s.users[%d]", path, i), "%q is neither a user name nor a number", user)
		}
	}
	for i, workload := range s.Workloads {
		if problem := workloadProblem(workload); problem != "" {
			r.add(fmt.Sprintf("%s.workloads[%d]", path, i), "%s", problem)
		}
	}
}

func (r *report) routes(path string, routes []string) {
	_, err := route.Compile(routes)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, err := range joined.Unwrap() {
		var bad *route.Error
		if errors.As(err, &bad) {
			r.add(fmt.Sprintf("%s[%d]", path, bad.Index), "%q, byte %d: %s", bad.Pattern, bad.Offset, bad.Reason)
		}
	}
}

func (r *report) headers(h HTTP) {
	unsafe := make([]string, len(h.UnsafeCaptureHeaders))
	for i, name := range h.UnsafeCaptureHeaders {
		unsafe[i] = strings.ToLower(name)
		if !slices.Contains(secretHeaders(), unsafe[i]) {
			r.add(fmt.Sprintf("http.unsafe_capture_headers[%d]", i),
				"%q needs no permission; only %s do", name, strings.Join(secretHeaders(), ", "))
		}
	}
	for _, list := range []struct {
		path  string
		names []string
	}{
		{"http.capture_request_headers", h.CaptureRequestHeaders},
		{"http.capture_response_headers", h.CaptureResponseHeaders},
	} {
		for i, name := range list.names {
			lower := strings.ToLower(name)
			if slices.Contains(secretHeaders(), lower) && !slices.Contains(unsafe, lower) {
				r.add(fmt.Sprintf("%s[%d]", list.path, i),
					"%s carries secrets; to capture it all the same, also list it in http.unsafe_capture_headers", name)
			}
		}
	}
	for i, name := range h.RedactQuery {
		if _, err := redact.NewNames([]string{name}); err != nil {
			r.add(fmt.Sprintf("http.redact_query[%d]", i), "%q is not a name that can be recognised: it needs 1 to 64 letters and digits", name)
		}
	}
}

func (r *report) export(e Export) {
	if e.BatchSpans > e.QueueSpans {
		r.add("export.batch_spans", "%d is more than export.queue_spans (%d)", e.BatchSpans, e.QueueSpans)
	}
	r.endpoint(e.OTLP)
	tls := e.OTLP.TLS
	if (tls.CertFile == "") != (tls.KeyFile == "") {
		r.add("export.otlp.tls", "cert_file and key_file are only useful together")
	}
	if tls.Insecure && (tls.CAFile != "" || tls.CertFile != "" || tls.InsecureSkipVerify) {
		r.add("export.otlp.tls.insecure", "without TLS the other keys of this section mean nothing; remove it or them")
	}
	for _, name := range slices.Sorted(maps.Keys(e.OTLP.Headers)) {
		if strings.ContainsAny(e.OTLP.Headers[name], "\r\n\x00") {
			r.add("export.otlp.headers."+name, "a header value is one line")
		}
	}
}

func (r *report) endpoint(o OTLP) {
	const path = "export.otlp.endpoint"
	if o.Endpoint == "" || strings.HasPrefix(o.Endpoint, "unix:/") {
		return
	}
	if hasCredentials(o.Endpoint) { // first: the other messages repeat the endpoint
		r.add(path, "credentials belong in export.otlp.headers, not in the URL")
		return
	}
	scheme, _, isURL := strings.Cut(o.Endpoint, "://")
	if !isURL {
		if problem := addressProblem(o.Endpoint, false); problem != "" {
			r.add(path, "%q is neither a URL such as http://collector:4318 nor host:port: %s", o.Endpoint, problem)
		}
		return
	}
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil:
		r.add(path, "%q is not a URL", o.Endpoint)
	case scheme != "http" && scheme != "https":
		r.add(path, "%q: the scheme of an endpoint is http or https; the protocol is export.otlp.protocol", o.Endpoint)
	case u.Hostname() == "":
		r.add(path, "%q names no host", o.Endpoint)
	case scheme == "https" && o.TLS.Insecure:
		r.add("export.otlp.tls.insecure", "contradicts the https endpoint")
	}
}

// hasCredentials reports whether there is an @ before the path of an endpoint,
// be it a URL that can be parsed or not.
func hasCredentials(endpoint string) bool {
	_, rest, isURL := strings.Cut(endpoint, "://")
	if !isURL {
		rest = endpoint
	}
	authority, _, _ := strings.Cut(rest, "/")
	return strings.Contains(authority, "@")
}

func (r *report) propagation(p Propagation) {
	if len(p.Formats) == 0 {
		r.add("propagation.formats", "at least one format has to be named")
	}
}

func (r *report) kernel(k Kernel) {
	if page := os.Getpagesize(); k.RingBytes%page != 0 {
		r.add("kernel.ring_bytes", "%d is not a multiple of the page size (%d)", k.RingBytes, page)
	}
}

func (r *report) listen(m Metrics) {
	if m.Listen == "" {
		return
	}
	if problem := addressProblem(m.Listen, true); problem != "" {
		r.add("metrics.listen", "%q is not an address such as 127.0.0.1:9464: %s", m.Listen, problem)
	}
}

// addressProblem says what keeps s from being host:port, "" for nothing. When
// listening the host may be empty and the port zero.
func addressProblem(s string, listening bool) string {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "a port is missing, or the host is an IPv6 address without [ ]"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || (n == 0 && !listening) {
		return fmt.Sprintf("%q is not a port", port)
	}
	if host == "" && !listening {
		return "a host is missing"
	}
	if strings.ContainsAny(host, " \t/") {
		return fmt.Sprintf("%q is not a host", host)
	}
	return ""
}
