// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// Capabilities by their bits (include/uapi/linux/capability.h).
const (
	dacReadSearch = 1 << 2
	sysPtrace     = 1 << 19
	sysAdmin      = 1 << 21
	perfmon       = 1 << 38
	bpf           = 1 << 39
	// lasting are for looking at new processes of other users.
	lasting = dacReadSearch | sysPtrace
)

// Capabilities are gone in every thread once the agent traces, and what it then
// has is enough: for processes that run, new ones of other users, new programs in
// old processes, and port rules.
func TestCapabilitiesAreDropped(t *testing.T) {
	binary := agentBinary(t)
	running, later := freeAddr(t), freeAddr(t)
	_, port, _ := strings.Cut(later, ":")
	serve(t, running, 54321)
	agent := startAgent(t, binary, "instrument:\n- {users: [\"54321\"]}\n- {ports: [\""+port+"\"]}\n")
	suite.Poll(t, patience, "capabilities are dropped", func() bool { return strings.Contains(agent.Out.String(), "capabilities dropped") })
	checkDropped(t, agent.PID(), bpf|perfmon|sysAdmin)

	get(t, running, "/running")
	agent.sees(t, "/running")
	serve(t, later, 54322)
	get(t, later, "/later")
	agent.sees(t, "/later")
	another := freeAddr(t)
	shell := exec.Command("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "sh", "-c", `read go; exec "$0" serve `+another, suite.Program("web"))
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, shell)
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	awaitListener(t, another)
	get(t, another, "/executed")
	agent.sees(t, "/executed")

	// Reading the configuration again needs what was kept, too.
	reloaded := freeAddr(t)
	serve(t, reloaded, 54323)
	write(t, agent.config, read(t, agent.config)+"- {users: [\"54323\"]}\n")
	if err := agent.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	suite.Poll(t, patience, "a user that was added is traced:\n"+suite.Tail(agent.Out.String(), 4000), func() bool {
		get(t, reloaded, "/reloaded")
		return strings.Contains(agent.Out.String(), `"/reloaded"`)
	})
	checkDropped(t, agent.PID(), bpf|perfmon|sysAdmin)
	if err := agent.end(); err != nil {
		t.Errorf("the agent ended with %v:\n%s", err, suite.Tail(agent.Out.String(), 4000))
	}
	if !strings.Contains(agent.Out.String(), "msg=stopped") {
		t.Errorf("no totals at the end:\n%s", suite.Tail(agent.Out.String(), 4000))
	}
}

// checkDropped checks that every thread has the same few capabilities and no way
// to more: what looking at processes takes, and of perhaps at most what this kernel
// wants for maps or probes.
func checkDropped(t *testing.T, pid int, perhaps uint64) {
	t.Helper()
	have := status(t, pid, "CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb", "NoNewPrivs")
	for name, values := range have {
		for _, v := range values {
			if v != values[0] {
				t.Errorf("%s is %s in one thread, %s in another", name, v, values[0])
			}
		}
	}
	effective, err := strconv.ParseUint(have["CapEff"][0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if effective&lasting != lasting || effective&^(lasting|perhaps) != 0 {
		t.Errorf("CapEff is %016x, want %016x and at most %016x more", effective, lasting, perhaps)
	}
	t.Logf("CapEff %016x", effective)
	for name, want := range map[string]uint64{"CapPrm": effective, "CapInh": 0, "CapAmb": 0} {
		if have[name][0] != fmt.Sprintf("%016x", want) {
			t.Errorf("%s is %s, want %016x", name, have[name][0], want)
		}
	}
	if bound, err := strconv.ParseUint(have["CapBnd"][0], 16, 64); err != nil || bound&^(lasting|perhaps) != 0 {
		t.Errorf("CapBnd is %s, %v", have["CapBnd"][0], err)
	}
	if have["NoNewPrivs"][0] != "1" {
		t.Errorf("NoNewPrivs is %s", have["NoNewPrivs"][0])
	}
}

// As the unit runs it: a user of its own with four ambient capabilities.
func TestUnprivilegedUser(t *testing.T) {
	binary := agentBinary(t)
	for dir := filepath.Dir(binary); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	addr := freeAddr(t)
	serve(t, addr, 54321)
	const list = "+bpf,+perfmon,+sys_ptrace,+dac_read_search"
	cmd := exec.Command("setpriv", "--reuid=54330", "--regid=54330", "--clear-groups", "--no-new-privs",
		"--inh-caps=-all,"+list, "--ambient-caps=-all,"+list, "--bounding-set=-all,"+list,
		binary, "run", "--port", strings.Split(addr, ":")[1], "--stdout", "json", "--log-level", "debug")
	agent := start(t, cmd)
	suite.Poll(t, patience, "the agent is ready", func() bool { return strings.Contains(agent.Out.String(), "capabilities dropped") })
	get(t, addr, "/unprivileged")
	agent.sees(t, "/unprivileged")
	checkDropped(t, agent.PID(), bpf|perfmon)
	if release := strings.TrimSpace(read(t, "/proc/sys/kernel/osrelease")); hasUprobeMulti(release) && strings.Contains(agent.Out.String(), "no probes in Go programs") {
		t.Errorf("on %s probes in Go programs need a capability:\n%s", release, suite.Tail(agent.Out.String(), 4000))
	}
	if uid := status(t, agent.PID(), "Uid")["Uid"][0]; uid != "54330\t54330\t54330\t54330" {
		t.Errorf("the agent runs as %s", uid)
	}
}

// hasUprobeMulti says that a kernel puts probes into one process without a
// capability: from Linux 6.10 on.
func hasUprobeMulti(release string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 6 || major == 6 && minor >= 10
}

// By default nothing listens; with the shipped configuration, on loopback only.
func TestListeners(t *testing.T) {
	binary := agentBinary(t)
	for name, config := range map[string]string{
		"default": "instrument: [{users: [\"54321\"]}]",
		"shipped": strings.Replace(read(t, "../../deploy/systemd/config.yaml"), "instrument: []", "instrument: [{users: [\"54321\"]}]", 1),
	} {
		agent := startAgent(t, binary, config)
		listening := 0
		for line := range strings.Lines(command(t, "ss", "-Hltnp")) {
			if !strings.Contains(line, ",pid="+strconv.Itoa(agent.PID())+",") {
				continue
			}
			listening++
			if fields := strings.Fields(line); !strings.HasPrefix(fields[3], "127.0.0.1:") {
				t.Errorf("%s: the agent listens on %s", name, fields[3])
			}
		}
		if want := map[string]int{"default": 0, "shipped": 1}[name]; listening != want {
			t.Errorf("%s: the agent listens on %d sockets, want %d", name, listening, want)
		}
		if err := agent.end(); err != nil {
			t.Errorf("%s: the agent ended with %v", name, err)
		}
	}
}

// A configuration that others can write is not read, by any command.
func TestWritableConfigurationIsRefused(t *testing.T) {
	binary := agentBinary(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, "instrument: [{ports: [\"8080\"]}]\n")
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run"}, {"check"}, {"why", "1"}} {
		out, err := exec.Command(binary, append(args, "--config", file)...).CombinedOutput()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), "everybody can write it") {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
}

// Neither the log nor any command shows a secret, however it was given and however
// wrong it is.
func TestNoSecretsInOutput(t *testing.T) {
	const canary = "CANARY-77c1"
	binary := agentBinary(t)
	collector := "http://" + freeAddr(t) // refuses connections
	tests := []struct {
		name, config string
		env          []string
		starts       bool
	}{
		{"variable", "", []string{"OTEL_EXPORTER_OTLP_HEADERS=x-key=CANARY-77c1", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector}, true},
		{"variable over HTTP", "", []string{"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20CANARY-77c1", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector}, true},
		{"malformed variable", "", []string{"OTEL_EXPORTER_OTLP_HEADERS=CANARY-77c1", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector}, false},
		{"malformed variable that the file outweighs", "export: {otlp: {headers: {a: b}}}", []string{"OTEL_EXPORTER_OTLP_HEADERS=CANARY-77c1,=CANARY-77c1,x=CANARY-77c1%zz", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector}, true},
		{"file", "export: {otlp: {headers: {x-key: CANARY-77c1}, endpoint: \"" + collector + "\"}}", nil, true},
		{"two lines in the file", "export: {otlp: {headers: {x-key: \"CANARY-77c1\\nx\"}, endpoint: \"" + collector + "\"}}", nil, false},
		{"password in a URL", "", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + strings.Replace(collector, "//", "//user:CANARY-77c1@", 1), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}, true},
		{"key in a URL", "", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + collector + "/v1/traces?key=CANARY-77c1"}, true},
		{"broken URL", "", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:CANARY-77c1@host:port"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := freeAddr(t)
			serve(t, addr, 54321)
			config := "instrument: [{users: [\"54321\"]}]\n" + tt.config
			file := filepath.Join(t.TempDir(), "config.yaml")
			write(t, file, config)
			for _, args := range [][]string{{"check"}, {"check", "--output", "json"}, {"why", strconv.Itoa(os.Getpid())}} {
				cmd := exec.Command(binary, append(args, "--config", file)...)
				cmd.Env = tt.env
				out, _ := cmd.CombinedOutput() // some of the configurations are wrong
				if strings.Contains(string(out), canary) || len(out) == 0 {
					t.Errorf("%s prints\n%s", args[0], out)
				}
			}
			if !tt.starts {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				cmd := exec.CommandContext(ctx, binary, "run", "--config", file)
				cmd.Env = tt.env
				if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), canary) || len(out) == 0 {
					t.Errorf("run ended with %v and prints\n%s", err, out)
				}
				return
			}
			agent := startAgent(t, binary, config, tt.env...)
			get(t, addr, "/sent")
			agent.sees(t, "/sent")
			suite.Poll(t, patience, "the collector's refusal is logged:\n"+suite.Tail(agent.Out.String(), 4000), func() bool { return strings.Contains(agent.Out.String(), "refused") })
			if err := agent.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-agent.Exited() // spans that nobody took may be an error
			if strings.Contains(agent.Out.String(), canary) {
				t.Errorf("a secret in\n%s", agent.Out)
			}
		})
	}
}
