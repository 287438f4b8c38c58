// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func fixtures(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures %s (%v)", pattern, err)
	}
	return files
}

func TestGoodFilesLoad(t *testing.T) {
	for _, file := range fixtures(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, err := (Source{File: file}).Load(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every problem of a bad file is told, in order, with its place.
func TestBadFiles(t *testing.T) {
	for _, file := range fixtures(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Source{File: file}.Load()
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), file, filepath.Base(file)) + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestEverythingIsRead(t *testing.T) {
	got, err := Source{File: "testdata/good/everything.yaml"}.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Instrument: []Instrument{{
			Name: "shop",
			Selector: Selector{
				Ports:      Ports{{8080, 8080}, {9000, 9010}, {65535, 65535}},
				Exe:        []string{"**/nginx", "/srv/app{1,2}/[ab]*"},
				Cmdline:    []string{"*gunicorn*"},
				Pids:       []int{1, 4194304},
				Units:      []string{"nginx.service", "app@*.service"},
				Containers: []string{"deadbeef0123", "shop-1"},
				Users:      []string{"www-data", "1000"},
				Namespaces: []string{"shop", "team-*"}, NamespaceLabels: map[string]string{"tracing": "enabled"},
				PodLabels: map[string]string{"app.kubernetes.io/part-of": "shop"}, PodAnnotations: map[string]string{"tracer-agent/instrument": "*"},
				Workloads: []string{"deployment/cart", "cronjob/*-report"},
			},
			Routes: []string{"/", "/users/{id}", "/files/{name}/raw"},
		}},
		Exclude: []Selector{{Users: []string{"root"}}, {Cmdline: []string{"*--no-trace*"}}},
		HTTP: HTTP{
			CaptureRequestHeaders: []string{"Authorization", "X-Tenant"}, CaptureResponseHeaders: []string{"Server"},
			UnsafeCaptureHeaders: []string{"authorization"}, RequestHeadBytes: 16384, ResponseHeadBytes: 128,
			RedactQuery: []string{"session_id"}, MaxFields: 16,
		},
		Sampling: Sampling{Sampler: "traceidratio", Ratio: 0.25},
		Export: Export{
			Stdout: "json", QueueSpans: 1000000, QueueBytes: 2000000, BatchSpans: 1024, BatchDelay: time.Second,
			OTLP: OTLP{
				Endpoint: "https://collector.example:4318/v1/traces", Protocol: "http/protobuf",
				Headers: map[string]string{"x-api-key": "1234", "x-zone": "eu"}, Compression: "gzip", Timeout: 3 * time.Second,
				TLS:     TLS{CAFile: "/etc/ca.pem", CertFile: "/etc/me.pem", KeyFile: "/etc/me.key"},
				Enabled: true,
			},
		},
		Propagation: Propagation{Formats: []string{"b3multi", "w3c", "gcp"}, CorrelationHeaders: []string{}},
		Linking:     Linking{Hold: 250 * time.Millisecond, InstrumentedProcesses: "all"},
		Kubernetes:  Kubernetes{API: "always", Kubeconfig: "/etc/kubeconfig", NodeName: "node1", MaxPeers: 1000},
		Kernel:      Kernel{Backend: "fentry", RingBytes: 8 << 20, MaxProcesses: 100, MaxConnections: 1000, BatchInterval: time.Millisecond},
		Limits:      Limits{IdleUnixConnection: 90 * time.Minute, PipelinedRequests: 7, HeldSpans: 100},
		Metrics:     Metrics{Listen: "[::1]:0"},
		Log:         Log{Level: "debug", Format: "json"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// The fixture of the test above names every key, so that it stays complete.
func TestEverythingNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	origin, problems := decodeYAML("f", text, new(Config))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	for _, k := range Keys() {
		path := strings.ReplaceAll(k.Path, "[]", "[0]")
		if strings.HasPrefix(path, "exclude[0].") || strings.Contains(path, "insecure") {
			continue // the criteria are shared; insecure contradicts the rest
		}
		if _, ok := origin[path]; !ok {
			t.Errorf("%s is not in the fixture", path)
		}
	}
}

func TestEmptyFileIsDefault(t *testing.T) {
	got, err := Source{File: "testdata/good/empty.yaml"}.Load()
	if err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnchors(t *testing.T) {
	got, err := Source{File: "testdata/good/anchors.yaml"}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Instrument[0].Exe, got.Instrument[1].Exe) || len(got.Instrument[1].Exe) != 2 {
		t.Errorf("aliased globs: %v", got.Instrument)
	}
	if got.HTTP.RequestHeadBytes != Default().HTTP.RequestHeadBytes {
		t.Error("an empty section cleared its defaults")
	}
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flag := Flag{Name: "--sampler", Set: func(c *Config) string {
		c.Sampling.Sampler = "always_on"
		return "sampling.sampler"
	}}
	otel := "OTEL_TRACES_SAMPLER=always_off"
	own := "TRACER_AGENT_SAMPLING_SAMPLER=traceidratio"
	const inFile = "sampling: {sampler: parentbased_always_on}"
	tests := []struct {
		name, text string
		env        []string
		flags      []Flag
		want       string
	}{
		{"default", "", nil, nil, "parentbased_traceidratio"},
		{"standard variable", "", []string{otel}, nil, "always_off"},
		{"empty standard variable", "", []string{"OTEL_TRACES_SAMPLER="}, nil, "parentbased_traceidratio"},
		{"file over standard variable", inFile, []string{otel}, nil, "parentbased_always_on"},
		{"own variable over file", inFile, []string{otel, own}, nil, "traceidratio"},
		{"flag over all", inFile, []string{otel, own}, []Flag{flag}, "always_on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(tt.text)
			cfg, err := Source{File: file, Env: tt.env, Flags: tt.flags}.Load()
			if err != nil || cfg.Sampling.Sampler != tt.want {
				t.Errorf("sampler %q, %v; want %q", cfg.Sampling.Sampler, err, tt.want)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	cfg, err := Source{Env: []string{
		"TRACER_AGENT_PROPAGATION_FORMATS=b3, w3c",
		"TRACER_AGENT_LOG_LEVEL=", // empty is not set
		"TRACER_AGENT_EXPORT_BATCH_DELAY=1s",
		"TRACER_AGENT_EXPORT_OTLP_TLS_INSECURE=true",
		"TRACER_AGENT_PORT=tcp://10.0.0.1:80", // what Kubernetes sets for a service of this name
		"OTEL_TRACES_SAMPLER_ARG= 0.5",
	}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Propagation.Formats = []string{"b3", "w3c"}
	want.Export.BatchDelay = time.Second
	want.Export.OTLP.TLS.Insecure = true
	want.Sampling.Ratio = 0.5
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got\n%+v\nwant\n%+v", cfg, want)
	}
}

func TestProblemsOutsideTheFileNameTheirPlace(t *testing.T) {
	_, err := Source{
		Env: []string{"OTEL_TRACES_SAMPLER=xray", "TRACER_AGENT_LOG_LEVEL=inf", "TRACER_AGENT_HTTP_MAX_FIELDS=x",
			"TRACER_AGENT_PROPAGATION_FORMATS=w3c,b4"},
		Flags: []Flag{{Name: "--metrics-listen", Set: func(c *Config) string {
			c.Metrics.Listen = "nowhere"
			return "metrics.listen"
		}}},
	}.Load()
	want := `TRACER_AGENT_HTTP_MAX_FIELDS: http.max_fields: "x" is not a whole number
OTEL_TRACES_SAMPLER: sampling.sampler: unknown value "xray"; allowed: always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio
TRACER_AGENT_PROPAGATION_FORMATS: propagation.formats[1]: unknown value "b4"; did you mean b3?
TRACER_AGENT_LOG_LEVEL: log.level: unknown value "inf"; did you mean info?
--metrics-listen: "nowhere" is not an address such as 127.0.0.1:9464: a port is missing, or the host is an IPv6 address without [ ]`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var problems Problems
	if !errors.As(err, &problems) {
		t.Errorf("error is a %T, want Problems", err)
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("#", maxFileBytes+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "cannot read the configuration: no such file or directory",
		dir:                             "cannot read the configuration: is a directory",
		big:                             "a configuration of more than 1048576 bytes is not read",
	} {
		_, err := Load(file)
		if err == nil || err.Error() != file+": "+want {
			t.Errorf("got %q, want %q", err, file+": "+want)
		}
	}
}

func TestOTLPEnabled(t *testing.T) {
	for env, want := range map[string]bool{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317":        true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4317": true,
		"TRACER_AGENT_EXPORT_OTLP_ENDPOINT=c:4317":         true,
		"OTEL_EXPORTER_OTLP_ENDPOINT=":                     false,
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://c":     false,
	} {
		cfg, err := Source{Env: []string{env}}.Load()
		if err != nil || cfg.Export.OTLP.Enabled != want {
			t.Errorf("%s: enabled %v (%v), want %v", env, cfg.Export.OTLP.Enabled, err, want)
		}
	}
}

// No file, however broken, may crash the agent, and what loads is valid.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg := Default()
		_, problems := decodeYAML("f", text, &cfg)
		for _, p := range problems {
			if p.Message == "" || p.Where.Source != "f" {
				t.Errorf("problem without message or place: %+v", p)
			}
		}
		_ = cfg.Validate()
	})
}
