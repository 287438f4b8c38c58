// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"os/user"
	"strings"
	"testing"
)

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		name string
		rule Rule
		want string
	}{
		{"empty", Rule{}, "no criterion"},
		{"name only", Rule{Name: "x"}, "no criterion"},
		{"malformed glob", Rule{Exe: []string{"/bin/[a"}}, `exe: malformed pattern "/bin/[a"`},
		{"relative exe", Rule{Exe: []string{"nginx"}}, "can never match"},
		{"empty exe", Rule{Exe: []string{""}}, "exe: empty pattern"},
		{"empty cmdline", Rule{Cmdline: []string{""}}, "cmdline: empty pattern"},
		{"port 0", Rule{Ports: []PortRange{{0, 5}}}, "ports 0-5"},
		{"reversed ports", Rule{Ports: []PortRange{{5, 4}}}, "ports 5-4"},
		{"pid 0", Rule{PIDs: []int{0}}, "pids: 0"},
		{"huge pid", Rule{PIDs: []int{1 << 40}}, "pids: "},
		{"unknown user", Rule{Users: []string{"no such user"}}, `no user "no such user"`},
		{"huge uid", Rule{Users: []string{"99999999999"}}, "uid"},
		{"empty container", Rule{Containers: []string{""}}, "containers: empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(Rules{Include: []Rule{{PIDs: []int{1}}}, Exclude: []Rule{tt.rule}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "exclude rule 0") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	_, err := Compile(Rules{Include: []Rule{{}, {Exe: []string{"x"}}}})
	if err == nil || !strings.Contains(err.Error(), "rule 0") || !strings.Contains(err.Error(), "rule 1") {
		t.Errorf("error %v does not name both rules", err)
	}
	if _, err := Compile(Rules{}); err != nil {
		t.Errorf("no rules at all: %v", err)
	}
}

func TestPortRuleLimit(t *testing.T) {
	rules := make([]Rule, maxPortRules+1)
	for i := range rules {
		rules[i] = Rule{Ports: port(uint16(i + 1))}
	}
	m := compile(t, Rules{Include: rules[1:], Exclude: rules[1:]})
	if mask := m.ports[maxPortRules+1]; mask.include != 1<<63 || mask.exclude != 1<<63 {
		t.Errorf("last port has masks %+v", mask)
	}
	if _, err := Compile(Rules{Include: rules}); err == nil {
		t.Error("65 rules with ports compiled")
	}
}

func TestPortMasks(t *testing.T) {
	m := compile(t, Rules{
		Include: []Rule{{PIDs: []int{1}}, {Ports: []PortRange{{80, 82}}}, {Ports: port(82), Exe: []string{"/a"}}},
		Exclude: []Rule{{Ports: port(81)}},
	})
	want := map[uint16]portMask{80: {1, 0, true}, 81: {1, 1, false}, 82: {3, 0, true}}
	for port, mask := range want {
		if m.ports[port] != mask {
			t.Errorf("port %d: %+v, want %+v", port, m.ports[port], mask)
		}
	}
	m = compile(t, Rules{Include: []Rule{{Ports: port(80)}}, Exclude: []Rule{{Exe: []string{"/a"}}}})
	if m.ports[80].auto {
		t.Error("automatic selection although an exclude rule has to see the process")
	}
}

func TestCriteria(t *testing.T) {
	const id = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
	w := newWorld(t)
	w.put(proc{
		pid: 10, exe: "/opt/app/bin/server (deleted)", argv: []string{"server", "--conf", "/etc/app/a.yaml", "--x=1"}, uid: 1,
		cgroup: "0::/system.slice/app@eu.service/libpod-payload-" + id + "\n", ports: []uint16{8080},
	})
	w.put(proc{pid: 11, exe: "/memfd:x (deleted)", cgroup: "0::/docker/" + id + "\n"})
	w.write(podmanContainers, `[{"id":"`+id+`","names":["shop","other"]}]`)
	w.write(dockerContainers+"/"+id+"/config.v2.json", `{"Name":"/dock"}`)
	daemon, err := user.LookupId("1")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		pid  uint32
		rule Rule
		want bool
	}{
		{"exe exact", 10, Rule{Exe: []string{"/opt/app/bin/server"}}, true},
		{"exe glob", 10, Rule{Exe: []string{"/nope", "/opt/*/bin/s*"}}, true},
		{"exe star stops at slash", 10, Rule{Exe: []string{"/opt/*"}}, false},
		{"exe doublestar", 10, Rule{Exe: []string{"**/server"}}, true},
		{"exe alternatives", 10, Rule{Exe: []string{"/opt/app/bin/{client,server}"}}, true},
		{"exe is case sensitive", 10, Rule{Exe: []string{"/opt/app/bin/Server"}}, false},
		{"exe without a file", 11, Rule{Exe: []string{"/memfd:*"}}, true},
		{"cmdline star crosses slashes", 10, Rule{Cmdline: []string{"server*a.yaml*"}}, true},
		{"cmdline is whole", 10, Rule{Cmdline: []string{"server"}}, false},
		{"cmdline exact", 10, Rule{Cmdline: []string{"server --conf /etc/app/a.yaml --x=1"}}, true},
		{"pid", 10, Rule{PIDs: []int{9, 10}}, true},
		{"other pid", 10, Rule{PIDs: []int{9}}, false},
		{"uid", 10, Rule{Users: []string{"1"}}, true},
		{"user", 10, Rule{Users: []string{daemon.Username}}, true},
		{"other user", 10, Rule{Users: []string{"root"}}, false},
		{"unit", 10, Rule{Units: []string{"app@eu.service"}}, true},
		{"unit without suffix", 10, Rule{Units: []string{"app@eu"}}, true},
		{"unit glob", 10, Rule{Units: []string{"app@*"}}, true},
		{"slice", 10, Rule{Units: []string{"system.slice"}}, true},
		{"other unit", 10, Rule{Units: []string{"app"}}, false},
		{"container prefix", 10, Rule{Containers: []string{"ABCDEF012345"}}, true},
		{"container id", 10, Rule{Containers: []string{id}}, true},
		{"prefix too short", 10, Rule{Containers: []string{"abc"}}, false},
		{"podman name", 10, Rule{Containers: []string{"shop"}}, true},
		{"name is whole", 10, Rule{Containers: []string{"sho"}}, false},
		{"docker name", 11, Rule{Containers: []string{"dock"}}, true},
		{"every criterion", 10, Rule{Exe: []string{"/opt/**"}, Users: []string{"1"}, Units: []string{"app@eu"}}, true},
		{"one criterion fails", 10, Rule{Exe: []string{"/opt/**"}, Users: []string{"1"}, Units: []string{"x"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := compile(t, Rules{Include: []Rule{tt.rule}})
			if got := m.judge(w.process(tt.pid)).State == StateSelected; got != tt.want {
				t.Errorf("selected %v, want %v", got, tt.want)
			}
		})
	}
}

func TestContainerNameUnreadable(t *testing.T) {
	const id = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
	rule := Rule{Containers: []string{"shop"}}
	tests := []struct {
		name, cgroup string
		exclude      State
	}{
		{"docker without its state", "0::/docker/" + id + "\n", StateExcluded},
		{"a runtime that has no names", "0::/kubepods/podU/" + id + "\n", StateSelected},
		{"no container", "0::/\n", StateSelected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(proc{pid: 10, exe: "/a", cgroup: tt.cgroup})
			if s := compile(t, Rules{Include: []Rule{rule}}).judge(w.process(10)).State; s != StateUnknown {
				t.Errorf("include: %v", s)
			}
			m := compile(t, Rules{Include: []Rule{{Exe: []string{"/a"}}}, Exclude: []Rule{rule}})
			if s := m.judge(w.process(10)).State; s != tt.exclude {
				t.Errorf("exclude: %v, want %v", s, tt.exclude)
			}
		})
	}
}
