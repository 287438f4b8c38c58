// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

const (
	requestHeader  = "http.request.header."
	responseHeader = "http.response.header."
)

// contentCase is a request and what its span must say beyond the usual.
type contentCase struct {
	name string
	r    request
	span string // its name
	also map[string]any
}

// plainCases hold without any configuration.
func plainCases() []contentCase {
	return []contentCase{
		{"no route", request{target: "/users/17"}, "GET", map[string]any{"http.route": nil}},
		{"no header", request{target: "/ok", fields: []string{"X-Tenant: acme", "Accept: text/*"}}, "GET",
			map[string]any{requestHeader + "x-tenant": nil, requestHeader + "accept": nil, responseHeader + "content-type": nil}},
	}
}

// contentConfig is what configuredCases hold under; %s are the ports.
const contentConfig = `
instrument: [{name: shop, ports: ["%s"], routes: ["/users/{id}", "/users/me", "/files/{path...}"]}]
http:
  capture_request_headers: [x-tenant, Authorization, x-absent]
  capture_response_headers: [content-type]
  unsafe_capture_headers: [authorization]
  redact_query: [shoe_size]
`

func configuredCases() []contentCase {
	return []contentCase{
		{"route", request{target: "/users/17?x=1"}, "GET /users/{id}", map[string]any{"http.route": "/users/{id}"}},
		{"the more literal route", request{target: "/users/me"}, "GET /users/me", map[string]any{"http.route": "/users/me"}},
		{"route of any depth", request{method: http.MethodPut, target: "/files/a/b%2Fc/d", body: "x"}, "PUT /files/{path...}",
			map[string]any{"http.route": "/files/{path...}"}},
		{"no route", request{target: "/users/17/orders"}, "GET", map[string]any{"http.route": nil}},
		{"headers", request{target: "/ok", fields: []string{"x-TENANT: acme", "X-Tenant: two", "X-Other: no"}}, "GET", map[string]any{
			requestHeader + "x-tenant": []any{"acme", "two"}, requestHeader + "x-other": nil, requestHeader + "x-absent": nil,
			requestHeader + "authorization": nil, responseHeader + "content-type": []any{"text/plain"}, responseHeader + "content-length": nil,
		}},
		{"permitted secret", request{target: "/ok", fields: []string{"Authorization: Basic cGVybWl0", "Cookie: a=b"}}, "GET",
			map[string]any{requestHeader + "authorization": []any{"Basic cGVybWl0"}, requestHeader + "cookie": nil}},
		{"query", request{target: "/ok?shoeSize=43&a=1", query: "shoeSize=REDACTED&a=1"}, "GET", nil},
	}
}

// TestRoutesAndHeaders: routes and headers are told as far as the configuration
// lists them, and nothing else.
func TestRoutesAndHeaders(t *testing.T) {
	block := suite.NewPorts(t)
	s := startGo(t, "go", block.Take(t))
	for _, tc := range []struct {
		name  string
		o     agentOptions
		cases []contentCase
	}{
		{"by default", agentOptions{args: []string{"--port", block.Selector()}}, plainCases()},
		{"configured", agentOptions{config: fmt.Sprintf(contentConfig, block.Selector())}, configuredCases()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			th := newTheme(t, tc.o)
			for _, cc := range tc.cases {
				th.send(t, cc.name, func(c *tcase) {
					cc.r.adjust = func(e *expect) { e.name, e.also = cc.span, cc.also }
					c.exchange(s.dial(c, ""), &cc.r)
				})
			}
			th.finish(t)
			for _, sp := range th.agent.sink.Spans() {
				if got := sp.Resource["service.name"]; tc.name == "configured" && got != "shop" {
					t.Errorf("service.name %v, want shop", got)
				}
			}
		})
	}
}

// secretQueries are queries with a secret, which %s stands for.
var secretQueries = []string{
	"token=%s", "access_token=%s&x=1", "x=1&api_key=%s", "API-Key=%s", "apiKey=%s", "password=%s", "user[password]=%s",
	"client_secret=%s", "code=%s", "sig=%s", "X-Amz-Signature=%s", "X-Amz-Security-Token=%s", "X-Goog-Signature=%s",
	"AWSAccessKeyId=%s", "jwt=%s", "sessionid=%s", "p%%61ssword=%s", "a=1&&=&pwd=%s&b", "token=%s;x=1",
}

// TestSecretsAreNotTold sends secrets wherever requests carry them, from a
// selected client to a selected server: they are in nothing that the agent
// exports, prints or logs.
func TestSecretsAreNotTold(t *testing.T) {
	dir := suite.WorkDir(t)
	curl := copyProgram(t, "/usr/bin/curl", dir)
	port := suite.NewPorts(t).Take(t)
	a := startAgent(t, agentOptions{args: []string{"--exe", curl, "--port", fmt.Sprint(port), "--stdout", "json"}})
	a.acquaint(t, curl, "-K", "-")
	s := startGo(t, "go", port)
	secret, witness := "secret"+newID(8), "witness"+newID(8)
	base := fmt.Sprintf("127.0.0.1:%d/echo", port)
	calls := [][]string{
		{"-H", "Authorization: Bearer " + secret, base}, {"-H", "Proxy-Authorization: Basic " + secret, base},
		{"-H", "Cookie: id=" + secret, base}, {"-H", "X-Api-Key: " + secret, base}, {"-u", "me:" + secret, base},
		{"-H", "Referer: http://x/?" + secret, base}, {"--data", secret, base},
		{"--request-target", "http://me:" + secret + "@127.0.0.1/echo", base}, {"-H", "traceparent: " + secret, base},
		{"-H", "baggage: key=" + secret, base}, {"--data", "x", "-H", "Transfer-Encoding: chunked", "-H", "X-S: " + secret, base},
		{base + "?" + witness},
	}
	for _, q := range secretQueries {
		calls = append(calls, []string{"-g", base + "?" + fmt.Sprintf(q, secret)})
	}
	for _, args := range calls {
		if out, err := exec.Command(curl, append([]string{"-s", "-S", "-f", "--max-time", "5"}, args...)...).CombinedOutput(); err != nil {
			t.Errorf("curl %v: %v\n%s", args, err, out)
		}
	}
	s.Stop()
	if trafficOnly() {
		t.Skip("TRACER_AGENT=off: the traffic ran, no agent was tested")
	}
	a.settled(t)
	a.shutdown(t)
	halves := map[otlptest.Kind]int{}
	for _, sp := range a.sink.Spans() {
		halves[sp.Kind]++
	}
	if halves[otlptest.Server] != len(calls) || halves[otlptest.Client] != len(calls) {
		t.Errorf("%v spans, want %d of the server and as many of the clients", halves, len(calls))
	}
	for place, text := range map[string]string{"spans": renderSpans(a.sink.Spans()), "standard output": a.stdout(), "log": a.Out.String()} {
		if place != "log" && !strings.Contains(text, witness) {
			t.Errorf("%s: the search finds nothing, so it proves nothing", place)
		}
		for line := range bytes.Lines([]byte(text)) {
			if bytes.Contains(line, []byte(secret)) {
				t.Errorf("%s tell the secret: %s", place, line)
			}
		}
	}
}
