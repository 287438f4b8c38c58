// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fakeAgent records what the command line asked for.
type fakeAgent struct {
	called string
	cfg    config.Config
	pid    int
	err    error
	report Report
	answer Explanation
	record Recording
	file   string // of replay, and its format
}

func (a *fakeAgent) deps() Deps {
	return Deps{
		Run: func(_ context.Context, cfg config.Config, opts RunOptions, out io.Writer, log *slog.Logger) error {
			a.called, a.cfg, a.record = "run", cfg, opts.Record
			log.Info("ready")
			io.WriteString(out, "a span\n")
			return a.err
		},
		Replay: func(_ context.Context, file, format string, out io.Writer, _ *slog.Logger) error {
			a.called, a.file = "replay", file+" as "+format
			io.WriteString(out, "a span\n")
			return a.err
		},
		Check: func(_ context.Context, cfg config.Config) Report {
			a.called, a.cfg = "check", cfg
			return a.report
		},
		Why: func(_ context.Context, pid int, cfg config.Config) (Explanation, error) {
			a.called, a.cfg, a.pid = "why", cfg, pid
			return a.answer, a.err
		},
		Demo: func(_ context.Context, out io.Writer) error {
			a.called = "demo"
			io.WriteString(out, "a tree\n")
			return a.err
		},
		Build: Build{Version: "v1.2.3", Commit: "abc", Date: "2026-01-02T03:04:05Z", ABI: 7},
	}
}

// execute runs one command line of words.
func (a *fakeAgent) execute(env []string, words ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = Invocation{Args: words, Env: env, Out: &o, Err: &e}.Execute(context.Background(), a.deps())
	return code, o.String(), e.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What is wrong with a command line is told without calling the agent.
func TestUsageErrors(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{"unknown command", "chekc", `tracer-agent: unknown command "chekc"; did you mean check?`},
		{"hopeless command", "xyz", `tracer-agent: unknown command "xyz"` + "\n"},
		{"unknown flag", "run --prot 80", "tracer-agent: unknown flag --prot; did you mean --port?"},
		{"unknown flag of check", "check --confg x", "unknown flag --confg; did you mean --config?"},
		{"hopeless flag", "run --zzzzzz", "tracer-agent: unknown flag --zzzzzz\n"},
		{"short flag", "run -p 80", "tracer-agent: unknown flag -p; flags are written out"},
		{"flag without value", "run --port", "flag needs an argument: --port"},
		{"argument of run", "run 8080", "run takes no arguments, but was given 8080"},
		{"argument of check", "check x", "check takes no arguments"},
		{"argument of demo", "demo x", "demo takes no arguments"},
		{"argument of version", "version x", "version takes no arguments"},
		{"no pid", "why", "why takes one process id, but was given 0 arguments"},
		{"two pids", "why 1 2", "why takes one process id, but was given 2 arguments"},
		{"bad pid", "why nginx", `"nginx" is not a process id`},
		{"zero pid", "why 0", `"0" is not a process id`},
		{"bad port", "run --port 80,http", `"http" is neither a port`},
		{"bad pid flag", "run --pid 1,x", `"x" is not a process id`},
		{"bad glob", "run --exe nginx", `--exe: "nginx" matches no absolute path; did you mean "**/nginx"?`},
		{"bad exclusion", "run --port 1 --exclude-exe [", `--exclude-exe: "[" is not a valid pattern`},
		{"bad backend", "run --port 1 --backend fenrty", `--backend: unknown value "fenrty"; did you mean fentry?`},
		{"bad stdout", "run --port 1 --stdout jsn", `--stdout: unknown value "jsn"; did you mean json?`},
		{"bad address", "run --port 1 --metrics-listen 9464", `--metrics-listen: "9464" is not an address`},
		{"bad level", "run --port 1 --log-level warning", `--log-level: unknown value "warning"; did you mean warn?`},
		{"bad output", "why 1 --output jsn", `--output: unknown format "jsn"; did you mean json?`},
		{"bad output of check", "check --output yaml", `--output: unknown format "yaml"`},
		{"replay of nothing", "replay", "replay takes the name of one recording, but was given 0"},
		{"replay as what", "replay x --stdout yaml", `--stdout is "yaml"; it can be text or json`},
		{"replay at what level", "replay x --log-level loud", "--log-level"},
		{"no file", "run --config /does/not/exist", "/does/not/exist: cannot read the configuration: no such file or directory"},
		{"nothing selected", "run", "nothing is selected, so there is nothing to trace"},
		{"only an exclusion", "run --exclude-exe /x", "nothing is selected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var agent fakeAgent
			code, out, errOut := agent.execute(nil, strings.Fields(tt.line)...)
			if code != 2 || out != "" || agent.called != "" {
				t.Errorf("exit %d, called %q, stdout %q; want exit 2 and neither", code, agent.called, out)
			}
			if !strings.Contains(errOut, tt.want) {
				t.Errorf("stderr %q does not contain %q", errOut, tt.want)
			}
		})
	}
}

func TestRunSelects(t *testing.T) {
	file := writeConfig(t, "instrument: [{users: [www-data]}]\nexclude: [{pids: [9]}]\nlog: {level: error}")
	var agent fakeAgent
	code, out, errOut := agent.execute(nil, "run", "--config", file, "--port", "8080,9000-9010", "--port", "80",
		"--exe", "/a", "--exe", "/b{1,2}", "--pid", "1,2", "--exclude-exe", "/c", "--backend", "fentry",
		"--stdout", "json", "--metrics-listen", "127.0.0.1:0", "--log-level", "info")
	if code != 0 || agent.called != "run" || out != "a span\n" {
		t.Fatalf("exit %d, called %q, stdout %q, stderr %q", code, agent.called, out, errOut)
	}
	if !strings.Contains(errOut, "level=INFO msg=ready") {
		t.Errorf("log %q", errOut)
	}
	want := config.Default()
	want.Instrument = []config.Instrument{
		{Selector: config.Selector{Users: []string{"www-data"}}},
		{Selector: config.Selector{Ports: config.Ports{{First: 8080, Last: 8080}, {First: 9000, Last: 9010}, {First: 80, Last: 80}}}},
		{Selector: config.Selector{Exe: []string{"/a", "/b{1,2}"}}},
		{Selector: config.Selector{Pids: []int{1, 2}}},
	}
	want.Exclude = []config.Selector{{Pids: []int{9}}, {Exe: []string{"/c"}}}
	want.Kernel.Backend = "fentry"
	want.Export.Stdout = "json"
	want.Metrics.Listen = "127.0.0.1:0"
	if !reflect.DeepEqual(agent.cfg, want) {
		t.Errorf("got\n%+v\nwant\n%+v", agent.cfg, want)
	}
}

func TestRunPrintsTextUnlessToldWhereSpansGo(t *testing.T) {
	tests := []struct {
		name, yaml string
		env        []string
		args       []string
		stdout     string
	}{
		{"nothing said", "", nil, nil, "text"},
		{"flag", "", nil, []string{"--stdout", "json"}, "json"},
		{"file", "export: {stdout: json}", nil, nil, "json"},
		{"endpoint in file", "export: {otlp: {endpoint: c:4317}}", nil, nil, ""},
		{"endpoint in environment", "", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317"}, nil, ""},
		{"both", "export: {otlp: {endpoint: c:4317}}", nil, []string{"--stdout", "text"}, "text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var agent fakeAgent
			args := append([]string{"run", "--port", "80", "--config", writeConfig(t, tt.yaml)}, tt.args...)
			if code, _, errOut := agent.execute(tt.env, args...); code != 0 {
				t.Fatalf("exit %d: %s", code, errOut)
			}
			if agent.cfg.Export.Stdout != tt.stdout {
				t.Errorf("stdout %q, want %q", agent.cfg.Export.Stdout, tt.stdout)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	agent := fakeAgent{err: errors.New("attach fentry/tcp_sendmsg: operation not permitted")}
	code, _, errOut := agent.execute(nil, "run", "--port", "80", "--log-level", "error")
	if code != 1 || errOut != "tracer-agent: attach fentry/tcp_sendmsg: operation not permitted\n" {
		t.Errorf("exit %d, stderr %q", code, errOut)
	}
}

func TestRunToldToStop(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, result := range map[string]struct {
		err  error
		code int
	}{
		"clean":      {nil, 0},
		"by context": {context.Canceled, 0},
		"not clean":  {errors.New("12 spans were not sent"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			agent := fakeAgent{err: result.err}
			call := Invocation{Args: []string{"run", "--port", "80"}, Out: io.Discard, Err: io.Discard}
			if code := call.Execute(ctx, agent.deps()); code != result.code {
				t.Errorf("exit %d, want %d", code, result.code)
			}
		})
	}
}

func TestJSONLog(t *testing.T) {
	var agent fakeAgent
	_, _, errOut := agent.execute([]string{"TRACER_AGENT_LOG_FORMAT=json"}, "run", "--port", "80")
	if !strings.Contains(errOut, `"msg":"ready"`) {
		t.Errorf("log %q", errOut)
	}
}

// Problems of a file are one line each and nothing else, so that tools can
// jump to them.
func TestConfigProblems(t *testing.T) {
	file := writeConfig(t, "http:\n  request_head_byte: 1\nlog: {level: loud}\n")
	want := file + ":2:3: http.request_head_byte: unknown key; did you mean request_head_bytes?\n" +
		file + ":3:7: log.level: unknown value \"loud\"; allowed: debug, info, warn, error\n"
	for _, line := range []string{"run --port 80", "why 1"} {
		var agent fakeAgent
		code, out, errOut := agent.execute(nil, append(strings.Fields(line), "--config", file)...)
		if code != 2 || out != "" || errOut != want || agent.called != "" {
			t.Errorf("%s: exit %d, stdout %q, stderr\n%swant\n%s", line, code, out, errOut, want)
		}
	}
}

func TestDemo(t *testing.T) {
	var agent fakeAgent
	if code, out, _ := agent.execute(nil, "demo"); code != 0 || out != "a tree\n" || agent.called != "demo" {
		t.Errorf("exit %d, stdout %q, called %q", code, out, agent.called)
	}
	agent.err = context.Canceled
	if code, _, _ := agent.execute(nil, "demo"); code != 1 {
		t.Errorf("interrupted demo exits with %d, want 1", code)
	}
}

func TestHelpTeaches(t *testing.T) {
	for _, command := range []string{"", "run", "check", "why", "demo", "version", "replay"} {
		var agent fakeAgent
		code, out, errOut := agent.execute(nil, strings.Fields(command+" --help")...)
		if code != 0 || errOut != "" || agent.called != "" {
			t.Errorf("%s --help: exit %d, stderr %q, called %q", command, code, errOut, agent.called)
		}
		golden(t, "help-"+cmp.Or(command, "root")+".txt", out)
	}
}

func TestCompletionOffersValues(t *testing.T) {
	for line, want := range map[string]string{
		"run --backend ":   "auto\nfentry\nsock-tracepoint\nsyscall-tracepoint\n:4\n",
		"run --stdout ":    "text\njson\n:4\n",
		"check --output ":  "text\njson\n:4\n",
		"run --log-level ": "debug\ninfo\nwarn\nerror\n:4\n",
	} {
		var agent fakeAgent
		_, out, _ := agent.execute(nil, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if out != want {
			t.Errorf("completion of %q: %q, want %q", line, out, want)
		}
	}
}

func TestRecordAndReplay(t *testing.T) {
	var agent fakeAgent
	if code, _, errOut := agent.execute(nil, "run", "--port", "80", "--record", "f", "--record-limit", "5000"); code != 0 || agent.record != (Recording{"f", 5000}) {
		t.Errorf("exit %d, recording %+v, stderr %q", code, agent.record, errOut)
	}
	if code, _, _ := agent.execute(nil, "run", "--port", "80"); code != 0 || agent.record.File != "" {
		t.Errorf("exit %d, recording %+v without being asked to", code, agent.record)
	}
	if code, out, _ := agent.execute(nil, "replay", "f", "--stdout", "json"); code != 0 || out != "a span\n" || agent.file != "f as json" {
		t.Errorf("exit %d, stdout %q, replayed %q", code, out, agent.file)
	}
	agent.err = errors.New("bad recording")
	if code, _, errOut := agent.execute(nil, "replay", "f"); code != 1 || !strings.Contains(errOut, "bad recording") || agent.file != "f as text" {
		t.Errorf("exit %d, stderr %q, replayed %q", code, errOut, agent.file)
	}
}
