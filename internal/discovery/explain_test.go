// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"slices"
	"testing"
)

func TestExplain(t *testing.T) {
	w := newWorld(t)
	w.put(proc{
		pid: 10, exe: "/bin/a", argv: []string{"a", "serve"}, uid: 33, stack: 1, ports: []uint16{8080, 80},
		cgroup: "0::/system.slice/web.service\n", env: []string{"PASSWORD=secret", "OTEL_SERVICE_NAME=shop"},
	})
	m := compile(t, Rules{
		Include: []Rule{
			{Name: "none", Exe: []string{"/bin/b"}},
			{Name: "wait", Exe: []string{"/bin/a"}, Ports: port(9000)},
			{Name: "web", Exe: []string{"/bin/a"}, Ports: []PortRange{{8080, 8081}}},
		},
		Exclude: []Rule{{Name: "root", Users: []string{"root"}}},
	})
	e, err := Explain(m, 10, Options{ProcRoot: w.root, HostRoot: w.root})
	if err != nil {
		t.Fatal(err)
	}
	if e.State != StateSelected || e.Rule != 2 || e.Service != "shop" || e.Exe != "/bin/a" || e.Cmdline != "a serve" || e.UID != "33" {
		t.Errorf("%+v", e)
	}
	if !slices.Equal(e.Ports, []uint16{80, 8080}) || !slices.Equal(e.Units, []string{"system.slice", "web.service"}) {
		t.Errorf("ports %v, units %v", e.Ports, e.Units)
	}
	if e.Include[0].Matched || e.Include[0].Wait || !e.Include[1].Wait || e.Include[1].Matched || !e.Include[2].Matched {
		t.Errorf("include %+v", e.Include)
	}
	c := e.Include[2].Criteria[1]
	if c.Name != "ports" || !slices.Equal(c.Wanted, []string{"8080-8081"}) || c.Actual != "80 8080" || !c.Matched {
		t.Errorf("ports criterion %+v", c)
	}
	if len(e.Exclude) != 1 || e.Exclude[0].Matched || e.Exclude[0].Criteria[0].Actual != "33" {
		t.Errorf("exclude %+v", e.Exclude)
	}
}

func TestExplainExclusion(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, unreadable: []string{"status"}})
	m := compile(t, Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}, Exclude: []Rule{{Users: []string{"12345"}}}})
	e, err := Explain(m, 10, Options{ProcRoot: w.root})
	if err != nil {
		t.Fatal(err)
	}
	c := e.Exclude[0].Criteria[0]
	if e.State != StateExcluded || !e.Exclude[0].Matched || !c.Unreadable || c.Matched || c.Actual != "unreadable" {
		t.Errorf("%v, %+v", e.State, e.Exclude)
	}
}

func TestExplainInheritance(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, argv: []string{"a", "serve"}})
	w.put(proc{pid: 11, ppid: 10, exe: "/bin/a", stack: 1, argv: []string{"a: worker"}})
	w.put(proc{pid: 12, ppid: 10, exe: "/bin/a", stack: 2, argv: []string{"a", "migrate"}})
	m := compile(t, Rules{Include: []Rule{{Name: "s", Cmdline: []string{"* serve"}}}})
	for pid, want := range map[uint32]uint32{10: 0, 11: 10, 12: 0} {
		e, err := Explain(m, pid, Options{ProcRoot: w.root})
		if err != nil {
			t.Fatal(err)
		}
		if e.InheritedFrom != want || (e.State == StateSelected) != (pid != 12) {
			t.Errorf("process %d: %v inherited from %d, want %d", pid, e.State, e.InheritedFrom, want)
		}
	}
	if _, err := Explain(m, 99, Options{ProcRoot: w.root}); !errors.Is(err, ErrNoProcess) {
		t.Errorf("no such process: %v", err)
	}
}
