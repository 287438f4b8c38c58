// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

func goodReport() Report {
	return Report{
		Kernel: "6.18.0 x86_64", Backend: "sock-tracepoint",
		Features: []Feature{
			{Name: "BTF", State: Yes, NeededFor: "every backend", Required: true},
			{Name: "fentry", State: No, NeededFor: "backend fentry", Detail: "attach: operation not permitted"},
			{Name: "socket tracepoints", State: Yes, NeededFor: "backend sock-tracepoint"},
			{Name: "uprobe.multi", State: Unknown, NeededFor: "TLS", Detail: "needs CAP_PERFMON"},
		},
		Capabilities: []Capability{
			{Name: "CAP_BPF", Held: true, NeededFor: "loading programs", Required: true},
			{Name: "CAP_SYS_RESOURCE", Held: false, NeededFor: "kernels before 5.11"},
		},
	}
}

func badReport() Report {
	r := goodReport()
	r.Backend = ""
	r.Features[0].State = No
	r.Capabilities[0].Held = false
	return r
}

func TestCheck(t *testing.T) {
	broken, good := writeConfig(t, "log: {level: loud}\nkernel: {max_proceses: 3}"), writeConfig(t, "instrument: [{ports: [80]}]")
	tests := []struct {
		name   string
		report Report
		config string
		code   int
	}{
		{"good", goodReport(), good, 0},
		{"idle", goodReport(), writeConfig(t, "instrument: []"), 0}, // run would not start with it
		{"missing", badReport(), good, 1},
		{"problems", goodReport(), broken, 2},
		{"both", badReport(), broken, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent := fakeAgent{report: tt.report}
			code, out, errOut := agent.execute(nil, "check", "--config", tt.config)
			if code != tt.code || errOut != "" {
				t.Errorf("exit %d, stderr %q; want %d and nothing", code, errOut, tt.code)
			}
			golden(t, "check-"+tt.name+".txt", strings.ReplaceAll(out, tt.config, "config.yaml"))
		})
	}
}

func TestCheckJSON(t *testing.T) {
	file := writeConfig(t, "log: {level: loud}")
	agent := fakeAgent{report: goodReport()}
	code, out, _ := agent.execute(nil, "check", "--output", "json", "--config", file)
	var got struct {
		Backend  string
		Features []Feature
		Problems []struct{ Where, Path, Message string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if code != 2 || got.Backend != "sock-tracepoint" || !reflect.DeepEqual(got.Features, goodReport().Features) {
		t.Errorf("exit %d, got %+v", code, got)
	}
	if len(got.Problems) != 1 || got.Problems[0].Where != file+":1:7" || got.Problems[0].Path != "log.level" {
		t.Errorf("problems %+v", got.Problems)
	}
}

// What is a list is never null in JSON, which programs trip over.
func TestCheckJSONHasNoNulls(t *testing.T) {
	agent := fakeAgent{report: Report{Backend: "fentry"}}
	_, out, _ := agent.execute(nil, "check", "--output", "json")
	if strings.Contains(out, "null") {
		t.Errorf("null in %s", out)
	}
}

func TestCheckWithBrokenConfigExaminesTheDefault(t *testing.T) {
	agent := fakeAgent{report: goodReport()}
	agent.execute(nil, "check", "--config", writeConfig(t, "kernel: {backend: fentri, max_processes: 99}"))
	if agent.called != "check" || !reflect.DeepEqual(agent.cfg, config.Default()) {
		t.Errorf("called %q with %+v", agent.called, agent.cfg)
	}
	agent.execute(nil, "check", "--config", writeConfig(t, "kernel: {max_processes: 99}"))
	if agent.cfg.Kernel.MaxProcesses != 99 {
		t.Errorf("max_processes %d, want 99", agent.cfg.Kernel.MaxProcesses)
	}
}

func TestUnknownIsNotMissing(t *testing.T) {
	r := goodReport()
	r.Features[0].State = Unknown
	if missing := r.Missing(); len(missing) != 0 {
		t.Errorf("missing %v", missing)
	}
}

// The agent may find problems that need the machine, such as unknown users.
func TestCheckKeepsProblemsOfTheAgent(t *testing.T) {
	r := goodReport()
	r.Problems = config.Problems{{Path: "instrument[0].users[0]", Message: "no such user"}}
	agent := fakeAgent{report: r}
	code, out, _ := agent.execute(nil, "check")
	if code != 2 || !strings.Contains(out, "instrument[0].users[0]: no such user") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
