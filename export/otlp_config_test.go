// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"
)

func envOf(vars map[string]string) otlpEnv {
	return otlpEnv{func(name string) string {
		return vars["OTEL_EXPORTER_OTLP_"+strings.TrimPrefix(name, "OTEL_EXPORTER_OTLP_")]
	}}
}

func env(pairs ...string) map[string]string {
	vars := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		vars["OTEL_EXPORTER_OTLP_"+pairs[i]] = pairs[i+1]
	}
	return vars
}

func TestResolveEndpoint(t *testing.T) {
	yes, no := true, false
	tests := map[string]struct {
		cfg      OTLPConfig
		env      map[string]string
		protocol string
		dest     string // URL or target
		secure   bool
	}{
		"nothing":                  {OTLPConfig{}, nil, ProtocolGRPC, "localhost:4317", false},
		"nothing, http":            {OTLPConfig{Protocol: ProtocolHTTP}, nil, ProtocolHTTP, "http://localhost:4318/v1/traces", false},
		"protocol by env":          {OTLPConfig{}, env("PROTOCOL", "http/protobuf"), ProtocolHTTP, "http://localhost:4318/v1/traces", false},
		"protocol by traces env":   {OTLPConfig{}, env("PROTOCOL", "grpc", "TRACES_PROTOCOL", "http/protobuf"), ProtocolHTTP, "http://localhost:4318/v1/traces", false},
		"protocol field wins":      {OTLPConfig{Protocol: ProtocolGRPC}, env("PROTOCOL", "http/protobuf"), ProtocolGRPC, "localhost:4317", false},
		"protocol by port":         {OTLPConfig{Endpoint: "http://c:4318"}, nil, ProtocolHTTP, "http://c:4318/v1/traces", false},
		"protocol by path":         {OTLPConfig{Endpoint: "https://c/otlp/v1/traces"}, nil, ProtocolHTTP, "https://c/otlp/v1/traces", true},
		"grpc url":                 {OTLPConfig{Endpoint: "https://c:4317"}, nil, ProtocolGRPC, "c:4317", true},
		"grpc url, no path":        {OTLPConfig{Protocol: ProtocolGRPC, Endpoint: "http://c:4317/ignored"}, nil, ProtocolGRPC, "c:4317", false},
		"grpc host and port":       {OTLPConfig{Endpoint: "c:4317"}, nil, ProtocolGRPC, "c:4317", true},
		"grpc insecure field":      {OTLPConfig{Endpoint: "c:4317", Insecure: &yes}, nil, ProtocolGRPC, "c:4317", false},
		"grpc insecure env":        {OTLPConfig{Endpoint: "c:4317"}, env("INSECURE", "TRUE"), ProtocolGRPC, "c:4317", false},
		"insecure field wins":      {OTLPConfig{Endpoint: "c:4317", Insecure: &no}, env("INSECURE", "true"), ProtocolGRPC, "c:4317", true},
		"traces insecure wins":     {OTLPConfig{Endpoint: "c:4317"}, env("INSECURE", "true", "TRACES_INSECURE", "false"), ProtocolGRPC, "c:4317", true},
		"scheme beats insecure":    {OTLPConfig{Endpoint: "https://c:4317", Insecure: &yes}, nil, ProtocolGRPC, "c:4317", true},
		"grpc IPv6":                {OTLPConfig{Endpoint: "http://[::1]:4317"}, nil, ProtocolGRPC, "[::1]:4317", false},
		"unix socket":              {OTLPConfig{Endpoint: "unix:///run/otlp.sock"}, nil, ProtocolGRPC, "unix:///run/otlp.sock", false},
		"unix socket, short":       {OTLPConfig{Endpoint: "unix:/run/otlp.sock"}, nil, ProtocolGRPC, "unix:/run/otlp.sock", false},
		"dns target":               {OTLPConfig{Endpoint: "dns:///c:4317"}, nil, ProtocolGRPC, "dns:///c:4317", true},
		"http host and port":       {OTLPConfig{Endpoint: "c:4318"}, nil, ProtocolHTTP, "https://c:4318/v1/traces", true},
		"http host insecure":       {OTLPConfig{Endpoint: "c:4318", Insecure: &yes}, nil, ProtocolHTTP, "http://c:4318/v1/traces", false},
		"http slash":               {OTLPConfig{Endpoint: "http://c:4318/"}, nil, ProtocolHTTP, "http://c:4318/v1/traces", false},
		"http path as it is":       {OTLPConfig{Endpoint: "http://c:4318/custom"}, nil, ProtocolHTTP, "http://c:4318/custom", false},
		"env base":                 {OTLPConfig{}, env("ENDPOINT", "http://c:4318"), ProtocolHTTP, "http://c:4318/v1/traces", false},
		"env base with path":       {OTLPConfig{}, env("ENDPOINT", "https://c/otlp/"), ProtocolHTTP, "https://c/otlp/v1/traces", true},
		"env traces as it is":      {OTLPConfig{}, env("TRACES_ENDPOINT", "http://c:4318", "ENDPOINT", "http://d"), ProtocolHTTP, "http://c:4318", false},
		"env traces with path":     {OTLPConfig{}, env("TRACES_ENDPOINT", "http://c/x"), ProtocolHTTP, "http://c/x", false},
		"endpoint field wins":      {OTLPConfig{Endpoint: "http://c:4317"}, env("TRACES_ENDPOINT", "http://d"), ProtocolGRPC, "c:4317", false},
		"blanks around env values": {OTLPConfig{}, env("ENDPOINT", " http://c:4317 "), ProtocolGRPC, "c:4317", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.cfg.resolve(envOf(tt.env))
			if err != nil {
				t.Fatal(err)
			}
			if dest := got.url + got.target; got.Protocol != tt.protocol || dest != tt.dest || got.secure != tt.secure {
				t.Errorf("got %s %s secure=%t, want %s %s secure=%t", got.Protocol, dest, got.secure, tt.protocol, tt.dest, tt.secure)
			}
		})
	}
}

func TestResolveOtherFields(t *testing.T) {
	all := env("HEADERS", "general=1", "TRACES_HEADERS", "api-key=a%20b%3D, x = y ,", "TIMEOUT", "1000", "TRACES_TIMEOUT", "2500",
		"COMPRESSION", "gzip", "CERTIFICATE", "/ca", "CLIENT_CERTIFICATE", "/cert", "CLIENT_KEY", "/key", "TRACES_CERTIFICATE", "/traces-ca")
	got, err := OTLPConfig{}.resolve(envOf(all))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"api-key": "a b=", "x": "y"}; !maps.Equal(got.Headers, want) {
		t.Errorf("headers %v", got.Headers)
	}
	if got.Timeout != 2500*time.Millisecond || got.Compression != "gzip" {
		t.Errorf("timeout %v, compression %s", got.Timeout, got.Compression)
	}
	if got.CAFile != "/traces-ca" || got.CertFile != "/cert" || got.KeyFile != "/key" {
		t.Errorf("files %s %s %s", got.CAFile, got.CertFile, got.KeyFile)
	}

	fields := OTLPConfig{Headers: map[string]string{"h": "1"}, Timeout: time.Minute, Compression: "none", CAFile: "a", CertFile: "b", KeyFile: "c"}
	got, err = fields.resolve(envOf(all))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got.Headers, fields.Headers) || got.Timeout != time.Minute || got.Compression != "none" ||
		got.CAFile != "a" || got.CertFile != "b" || got.KeyFile != "c" {
		t.Errorf("fields did not win: %+v", got.OTLPConfig)
	}

	got, err = OTLPConfig{}.resolve(envOf(nil))
	if err != nil || got.Timeout != 10*time.Second || got.Compression != "none" || len(got.Headers) != 0 {
		t.Errorf("defaults %+v, %v", got, err)
	}
}

func TestResolveReportsEveryProblem(t *testing.T) {
	tests := map[string]struct {
		cfg  OTLPConfig
		env  map[string]string
		want []string
	}{
		"protocol":           {OTLPConfig{Protocol: "http/json"}, nil, []string{`protocol "http/json"`, "http/protobuf"}},
		"env protocol":       {OTLPConfig{}, env("PROTOCOL", "thrift"), []string{`protocol "thrift"`}},
		"compression":        {OTLPConfig{Compression: "zstd"}, nil, []string{`compression "zstd"`}},
		"timeout":            {OTLPConfig{}, env("TIMEOUT", "10s"), []string{`timeout "10s"`, "milliseconds"}},
		"negative timeout":   {OTLPConfig{Timeout: -1}, nil, []string{"negative"}},
		"headers":            {OTLPConfig{}, env("HEADERS", "a=1,secretvalue"), []string{"entry 2"}},
		"header encoding":    {OTLPConfig{}, env("HEADERS", "a=%zz-secretvalue"), []string{`value of "a"`}},
		"cert without key":   {OTLPConfig{CertFile: "x"}, nil, []string{"together"}},
		"http without host":  {OTLPConfig{Protocol: ProtocolHTTP, Endpoint: "http://"}, nil, []string{"not an http or https URL"}},
		"http other scheme":  {OTLPConfig{Protocol: ProtocolHTTP, Endpoint: "unix:///x"}, nil, []string{"not an http or https URL"}},
		"http unparsable":    {OTLPConfig{Protocol: ProtocolHTTP, Endpoint: "http://a b"}, nil, []string{"parse otlp endpoint"}},
		"grpc without host":  {OTLPConfig{Endpoint: "https://"}, nil, []string{"no host"}},
		"several at a time":  {OTLPConfig{Compression: "x", Timeout: -1}, nil, []string{"compression", "negative"}},
		"unreadable CA":      {OTLPConfig{Endpoint: "https://c", CAFile: "testdata/none"}, nil, []string{"testdata/none"}},
		"CA that is not PEM": {OTLPConfig{Endpoint: "https://c", CAFile: "testdata/spans.txt"}, nil, []string{"testdata/spans.txt", "PEM"}},
		"unreadable cert":    {OTLPConfig{Endpoint: "https://c", CertFile: "testdata/c", KeyFile: "testdata/k"}, nil, []string{"testdata/c"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			_, err := NewOTLP(context.Background(), tt.cfg, quiet())
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not tell %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "secretvalue") {
				t.Errorf("error %q holds a secret", err)
			}
		})
	}
}

func TestEndpointFromEnv(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	if v, ok := EndpointFromEnv(); ok {
		t.Errorf("endpoint %q out of nothing", v)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a")
	if v, ok := EndpointFromEnv(); !ok || v != "http://a" {
		t.Errorf("endpoint %q", v)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://b")
	if v, ok := EndpointFromEnv(); !ok || v != "http://b" {
		t.Errorf("endpoint %q", v)
	}
}

func TestOTLPByEnvironmentAlone(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol string) {
		s := startSink(t, protocol, "", nil, &sink{})
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.url)
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=from%20env")
		exp := newOTLP(t, OTLPConfig{})
		if err := exp.Export(context.Background(), []*Span{exampleSpan(1)}); err != nil {
			t.Fatal(err)
		}
		h := s.requests()[0].header
		if got := append(h["x-token"], h["X-Token"]...); len(got) != 1 || got[0] != "from env" {
			t.Errorf("token header %q", got)
		}
	})
}

func TestOTLPFieldsBeatTheEnvironment(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol string) {
		s := startSink(t, protocol, "", nil, &sink{})
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://"+freeAddress(t)+"/elsewhere")
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-token=env")
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "testdata/none")
		exp := newOTLP(t, OTLPConfig{Protocol: protocol, Endpoint: s.url, Headers: map[string]string{"x-other": "1"}, Timeout: time.Minute})
		if err := exp.Export(context.Background(), []*Span{exampleSpan(1)}); err != nil {
			t.Fatal(err)
		}
		if h := s.requests()[0].header; len(h["x-token"])+len(h["X-Token"]) != 0 || len(h["x-other"])+len(h["X-Other"]) != 1 {
			t.Errorf("headers %v", h)
		}
	})
}

// No message and no name holds a password, a header's value or a query.
func TestOTLPMessagesHoldNoSecrets(t *testing.T) {
	for _, vars := range []map[string]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:CANARY@host:port"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:CANARY@host:4318/v1?key=CANARY"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://u:CANARY@host:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:CANARY@", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "u:CANARY@host:4317"},
		{"OTEL_EXPORTER_OTLP_HEADERS": "x-key:CANARY"},
		{"OTEL_EXPORTER_OTLP_HEADERS": "=CANARY"},
		{"OTEL_EXPORTER_OTLP_HEADERS": "x-key=CANARY%zz"},
	} {
		target, err := OTLPConfig{}.resolve(otlpEnv{func(name string) string { return vars[name] }})
		said := redacted(target.Endpoint) + target.target // grpc-go repeats its target
		if err != nil {
			said = err.Error()
		}
		if strings.Contains(said, "CANARY") {
			t.Errorf("%v: says %s", vars, said)
		}
	}
}
