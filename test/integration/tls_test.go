// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestExportOverTLS exports to a collector that asks for a client certificate,
// by either protocol, compressed and not, configured by environment and by file.
func TestExportOverTLS(t *testing.T) {
	cases := []struct {
		name, protocol string
		gzip, file     bool
	}{
		{"gRPC", otlptest.GRPC, false, false},
		{"gRPC, gzip, file", otlptest.GRPC, true, true},
		{"HTTP, file", otlptest.HTTP, false, true},
		{"HTTP, gzip", otlptest.HTTP, true, false},
	}
	id, cert, key := identity(t)
	block := suite.NewPorts(t)
	s := startGo(t, "go", block.Take(t))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			sink := newTLSSink(t, id)
			o := agentOptions{args: []string{"--port", block.Selector()}, sink: sink, protocol: tc.protocol, gzip: tc.gzip}
			if tc.file {
				o.config = "export: {otlp: {headers: {x-api-key: k1}, tls: {ca_file: " + cert + ", cert_file: " + cert + ", key_file: " + key + "}}}\n"
			} else {
				o.env = []string{"OTEL_EXPORTER_OTLP_HEADERS=x-api-key=k1", "OTEL_EXPORTER_OTLP_CERTIFICATE=" + cert,
					"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=" + cert, "OTEL_EXPORTER_OTLP_CLIENT_KEY=" + key}
			}
			th := newTheme(t, o)
			th.send(t, "requests", func(c *tcase) { keepAlive(c, s) })
			th.finish(t)
			checkExports(t, sink, tc.protocol, tc.gzip)
		})
	}
}

// checkExports looks at how the export requests of one agent came in.
func checkExports(t *testing.T, sink *otlptest.Sink, protocol string, gzip bool) {
	t.Helper()
	requests := sink.Requests()
	if len(requests) == 0 {
		t.Error("no export request came in")
	}
	for _, r := range requests {
		coding := strings.Join(append(r.Header["content-encoding"], r.Header["grpc-encoding"]...), "")
		// gRPC strips its encoding header; that it decoded is all that shows.
		if r.Protocol != protocol || protocol == otlptest.HTTP && gzip != (coding == "gzip") {
			t.Errorf("request by %s, content-encoding %q; want %s, gzip %v", r.Protocol, coding, protocol, gzip)
		}
		if got := strings.Join(r.Header["x-api-key"], ","); got != "k1" {
			t.Errorf("x-api-key %q, want k1", got)
		}
	}
}

// TestUnknownAuthority: to a collector whose certificate nobody vouches for
// nothing is sent, and what is not sent is counted.
func TestUnknownAuthority(t *testing.T) {
	id, _, _ := identity(t)
	block := suite.NewPorts(t)
	s := startGo(t, "go", block.Take(t))
	for _, protocol := range []string{otlptest.GRPC, otlptest.HTTP} {
		t.Run(protocol, func(t *testing.T) {
			sink := newTLSSink(t, id)
			a := startAgent(t, agentOptions{args: []string{"--port", block.Selector()}, sink: sink, protocol: protocol,
				config: "export: {shutdown_timeout: 200ms}\n"})
			th := &theme{ledger: &ledger{}, agent: a}
			th.send(t, "requests", func(c *tcase) { keepAlive(c, s) })
			if trafficOnly() {
				t.Skip("TRACER_AGENT=off: the traffic ran, no agent was tested")
			}
			suite.Poll(t, 10*time.Second, "the spans wait or were dropped, and nothing was sent", func() bool {
				n := a.accounts(t)
				return n.told == 5 && n.sent == 0
			})
			if err := errText(a.terminate(t)); err != "exit status 1" {
				t.Errorf("the agent, which could not send all it had, ended with %q, want exit status 1", err)
			}
			if n := len(sink.Requests()); n != 0 {
				t.Errorf("%d export requests reached a collector that cannot prove itself", n)
			}
			if log := a.Out.String(); !strings.Contains(log, "spans_dropped=5") {
				t.Errorf("the agent does not say that it dropped 5 spans:\n%s", suite.Tail(log, 2000))
			}
		})
	}
}

// identity makes a certificate and writes it and its key to files.
func identity(t *testing.T) (id *otlptest.Identity, cert, key string) {
	t.Helper()
	id, err := otlptest.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	dir := suite.WorkDir(t)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, data := range map[string][]byte{cert: id.Certificate, key: id.Key} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return id, cert, key
}

func newTLSSink(t *testing.T, id *otlptest.Identity) *otlptest.Sink {
	t.Helper()
	sink, err := otlptest.NewTLS(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	return sink
}
