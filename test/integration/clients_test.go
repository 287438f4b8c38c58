// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// plan is the list of requests that a client under test gets on its standard
// input; outcome is one entry of the list that it prints.
type plan []planned

type planned struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Chunked bool              `json:"chunked,omitempty"`
}

type outcome struct {
	Status int    `json:"status"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Error  string `json:"error"`
}

// client is a program under test that sends a plan.
type client struct {
	name string
	wait []string // starts the program, which waits for its standard input
	run  func(t *testing.T, p plan) []outcome
}

// clientsEnv is the environment variable that restricts clients.
const clientsEnv = "TRACER_TEST_CLIENTS"

// clients copies the client programs into dir, so that nothing else on the
// machine runs them, and returns how to use each: all, or those that clientsEnv names.
func clients(t *testing.T, dir string) []client {
	t.Helper()
	curl := copyProgram(t, "/usr/bin/curl", dir)
	python := copyProgram(t, "/usr/bin/python3", dir)
	node := copyProgram(t, "/usr/bin/node", dir)
	golang := copyProgram(t, suite.Program("goclient"), dir)
	planned := func(name string, args ...string) client {
		return client{name, args, func(t *testing.T, p plan) []outcome { return runPlan(t, p, args...) }}
	}
	all := []client{
		{"curl", []string{curl, "-K", "-"}, func(t *testing.T, p plan) []outcome { return runCurl(t, curl, p) }},
		planned("go", golang),
		planned("python", python, "-B", appFile(t, "client.py")),
		planned("node", node, appFile(t, "client.js")),
	}
	names := os.Getenv(clientsEnv)
	if names == "" {
		return all
	}
	wanted := strings.Split(names, ",")
	return slices.DeleteFunc(all, func(c client) bool { return !slices.Contains(wanted, c.name) })
}

// runPlan gives p to a client program and reads its outcomes.
func runPlan(t *testing.T, p plan, args ...string) []outcome {
	t.Helper()
	input, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PYTHONHOME=/usr")
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, stderr.String())
	}
	var results []outcome
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(p) {
		t.Fatalf("%s printed %q: %v", args[0], out, err)
	}
	return results
}

// runCurl sends all of p with one curl process, which reuses its connection.
func runCurl(t *testing.T, curl string, p plan) []outcome {
	t.Helper()
	dir := suite.WorkDir(t)
	var args []string
	for i, r := range p {
		if i > 0 {
			args = append(args, "--next")
		}
		args = append(args, "-s", "-g", "--max-time", "20", "-o", filepath.Join(dir, fmt.Sprint(i)), "-w", `%{http_code} %{size_download}\n`)
		args = append(args, curlRequest(r)...)
	}
	out, err := exec.Command(curl, args...).Output()
	if err != nil {
		t.Logf("curl: %v", err)
	}
	results := make([]outcome, len(p))
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i := range p {
		if i >= len(lines) {
			t.Fatalf("curl printed %d lines for %d requests: %s", len(lines), len(p), out)
		}
		fmt.Sscan(lines[i], &results[i].Status, &results[i].Size)
		if results[i].Status == 0 {
			results[i].Error = errText(err)
		}
		if data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i))); err == nil {
			results[i].SHA256 = sha(string(data))
		} else {
			results[i].SHA256 = sha("")
		}
	}
	return results
}

func curlRequest(r planned) []string {
	var args []string
	if r.Method == http.MethodHead {
		args = append(args, "--head")
	} else {
		args = append(args, "-X", r.Method)
	}
	for k, v := range r.Headers {
		args = append(args, "-H", k+": "+v)
	}
	if r.Body != "" {
		args = append(args, "--data-binary", r.Body)
	}
	if r.Chunked {
		args = append(args, "-H", "Transfer-Encoding: chunked")
	}
	return append(args, r.URL)
}

// clientCases are plans by name; URLs are relative to the recorder. "trace" is
// replaced by a fresh traceparent.
func clientCases() map[string]plan {
	traced := map[string]string{"traceparent": ""}
	return map[string]plan{
		"get":              {{Method: "GET", URL: "/ok?a=1", Headers: traced}},
		"root":             {{Method: "GET", URL: "/ok?root"}},
		"head":             {{Method: "HEAD", URL: "/size/1000", Headers: traced}},
		"post":             {{Method: "POST", URL: "/ok", Headers: traced, Body: pattern(1000)}},
		"post in chunks":   {{Method: "POST", URL: "/ok", Headers: traced, Body: pattern(2000), Chunked: true}},
		"delete":           {{Method: "DELETE", URL: "/empty", Headers: traced}},
		"chunked response": {{Method: "GET", URL: "/chunked/2000", Headers: traced}},
		"1 MiB down":       {{Method: "GET", URL: "/size/1048576", Headers: traced}},
		"expect continue":  {{Method: "PUT", URL: "/ok", Headers: map[string]string{"traceparent": "", "Expect": "100-continue"}, Body: pattern(2000)}},
		"keep-alive": {
			{Method: "GET", URL: "/ok?1", Headers: traced},
			{Method: "GET", URL: "/missing?2", Headers: traced},
			{Method: "GET", URL: "/fail?3", Headers: traced},
			{Method: "POST", URL: "/ok?4", Headers: traced, Body: pattern(3000)},
			{Method: "GET", URL: "/empty?5", Headers: traced},
			{Method: "GET", URL: "/size/5000?6", Headers: traced},
		},
	}
}

// TestClients runs every plan with every client program, over IPv4 and IPv6.
func TestClients(t *testing.T) {
	dir := suite.WorkDir(t)
	th := newTheme(t, agentOptions{args: []string{"--exe", dir + "/*"}, protocol: otlptest.HTTP, gzip: true})
	list := clients(t, dir)
	for _, cl := range list {
		th.agent.acquaint(t, cl.wait...)
	}
	recorders := map[string]*recorder{"IPv4": newRecorder(t, "127.0.0.1:0"), "IPv6": newRecorder(t, "[::1]:0")}
	t.Run("traffic", func(t *testing.T) {
		for _, cl := range list {
			t.Run(cl.name, func(t *testing.T) {
				t.Parallel()
				for name, p := range clientCases() {
					if cl.name == "python" && name == "expect continue" {
						continue // http.client sends the field but does not wait; curl, Go and Node cover it
					}
					th.send(t, cl.name+"/"+name, func(c *tcase) { c.runClient(cl, recorders["IPv4"], p) })
				}
				th.send(t, cl.name+"/IPv6", func(c *tcase) { c.runClient(cl, recorders["IPv6"], clientCases()["get"]) })
				th.send(t, cl.name+"/refused", func(c *tcase) { c.refused(cl) })
			})
		}
	})
	th.finish(t)
}

// runClient completes p for the recorder, runs it and files what both saw.
func (c *tcase) runClient(cl client, r *recorder, p plan) {
	c.Helper()
	full := make(plan, len(p))
	keys := make([]string, len(p))
	for i, step := range p {
		full[i], keys[i] = c.complete(cl, r, step)
	}
	begun := time.Now()
	results := cl.run(c.T, full)
	ended := time.Now()
	for i, got := range results {
		rec, ok := r.get(keys[i])
		if !ok {
			c.Errorf("%s %s: the server saw no such request; the client says %+v", full[i].Method, full[i].URL, got)
			continue
		}
		if got.Error != "" || got.Status != rec.status || got.Size != rec.replySize && p[i].Method != http.MethodHead {
			c.Errorf("%s %s: client says %+v, server sent status %d and %d bytes", full[i].Method, full[i].URL, got, rec.status, rec.replySize)
		}
		c.fileClient(r, full[i], keys[i], rec).during(begun, ended)
	}
}

// complete makes one step of a plan ready to be sent and returns its key.
func (c *tcase) complete(cl client, r *recorder, step planned) (planned, string) {
	step.URL = r.srv.URL + step.URL
	if _, traced := step.Headers["traceparent"]; !traced {
		step.URL += "=" + cl.name
		return step, strings.TrimPrefix(step.URL, r.srv.URL)
	}
	trace, parent := newID(16), newID(8)
	headers := map[string]string{}
	for k, v := range step.Headers {
		headers[k] = v
	}
	headers["traceparent"] = fmt.Sprintf("00-%s-%s-01", trace, parent)
	step.Headers = headers
	return step, trace
}

// fileClient records what the CLIENT span of one request must say.
func (c *tcase) fileClient(r *recorder, step planned, key string, rec recorded) *expect {
	e := &expect{
		kind: otlptest.Client, parent: rec.parent, method: step.Method, status: rec.status,
		version: rec.version, userAgent: rec.userAgent, start: rec.arrived, end: rec.done,
		reqBody: exactly(rec.bodySize), respBody: exactly(rec.replySize),
	}
	if rec.parent != "" {
		e.traceID = key
	}
	e.path, e.query, _ = strings.Cut(strings.TrimPrefix(step.URL, r.srv.URL), "?")
	addr := r.srv.Listener.Addr().(*net.TCPAddr)
	e.serverAddr, e.serverPort = addr.IP.String(), addr.Port
	e.peerAddr, e.peerPort = addr.IP.String(), addr.Port
	e.refine(step, rec)
	c.expect(e)
	return e
}

// during says when the client's program ran.
func (e *expect) during(begun, ended time.Time) { e.begun, e.ended = begun, ended }

// refine loosens what a client need not know exactly: a chunked body's framing
// need not all be seen.
func (e *expect) refine(step planned, rec recorded) {
	if rec.bodySize == 0 {
		e.reqBody = noBody()
	} else if step.Headers["Expect"] != "" {
		e.reqBody = ifPresent(rec.bodySize)
	}
	if step.Method == http.MethodHead || rec.status == http.StatusNoContent {
		e.respBody = noBody()
	} else if strings.HasPrefix(e.path, "/chunked/") {
		e.respBody = ifPresent(rec.replySize)
	}
}

// refused connects to a port that nobody listens on: no byte of HTTP flows, so
// a span would be unexpected.
func (c *tcase) refused(cl client) {
	got := cl.run(c.T, plan{{Method: "GET", URL: "http://" + suite.NewPorts(c.T).Addr(c.T) + "/refused"}})
	if got[0].Status != 0 || got[0].Error == "" {
		c.Errorf("outcome %+v, want a refused connection", got[0])
	}
}

// errText renders an error for a comparison in a table, nil as "".
func errText(err error) string {
	if err == nil {
		return ""
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Error()
	}
	return strings.TrimSpace(err.Error())
}
