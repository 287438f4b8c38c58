// SPDX-License-Identifier: Apache-2.0

package discovery

import "testing"

// runs is an exec event of a process that is put into the world: program 1 is /bin/a.
func (w *world) runs(k *fakeKernel, d *Discovery, p proc, program uint64) {
	w.t.Helper()
	w.put(p)
	k.programOf = func(uint32) (uint64, uint64) { return program, p.stack }
	k.exec(p.pid)
	k.deliver(d, -1)
}

func TestLearn(t *testing.T) {
	exe := Rule{Exe: []string{"/bin/a"}}
	tests := []struct {
		name    string
		include []Rule
		exclude []Rule
		want    Verdict
	}{
		{"path", []Rule{exe}, nil, Verdict{State: StateSelected}},
		{"another path", []Rule{{Exe: []string{"/bin/b"}}}, nil, Verdict{}},
		{"path and port", []Rule{{Exe: []string{"/bin/a"}, Ports: port(80)}}, nil, Verdict{State: StateCandidate, Include: 1}},
		{"port alone", []Rule{{Ports: port(80)}}, nil, Verdict{}}, // needs nothing to be recalled
		{"excluded path", []Rule{{Ports: port(80)}}, []Rule{{Exe: []string{"/bin/a"}}}, Verdict{}},
		{"another path excluded", []Rule{{Ports: port(80)}}, []Rule{{Exe: []string{"/bin/b"}}}, Verdict{State: StateCandidate, Include: 1}},
		{"arguments", []Rule{{Cmdline: []string{"*"}}}, nil, Verdict{}},
		{"arguments, or path and port", []Rule{{Cmdline: []string{"*"}}, {Exe: []string{"/bin/a"}, Ports: port(80)}}, nil, Verdict{State: StateCandidate, Include: 1}},
		{"arguments and port", []Rule{{Cmdline: []string{"*"}, Ports: port(80)}}, nil, Verdict{}},
		{"a user excluded", []Rule{exe}, []Rule{{Users: []string{"12345"}}}, Verdict{}},
		{"a port excluded", []Rule{exe}, []Rule{{Ports: port(90)}}, Verdict{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			d, k := w.started(Rules{Include: tt.include, Exclude: tt.exclude})
			w.runs(k, d, proc{pid: 10, stack: 7, exe: "/bin/a", argv: []string{"a"}}, 1)
			if got := k.programs[1]; got != tt.want {
				t.Errorf("the kernel recalls %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestLearnsNothingOfAnotherProgram: the event is of a program that the process
// does not run any more, or that nobody can name.
func TestLearnsNothingOfAnotherProgram(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}})
	w.put(proc{pid: 10, stack: 7, exe: "/bin/a"})
	d.OnExec(Exec{TGID: 10, Program: 1, Stack: 6})
	d.OnExec(Exec{TGID: 10, Program: 0, Stack: 7})
	if len(k.programs) != 0 {
		t.Errorf("the kernel recalls %v", k.programs)
	}
}

func TestForgetsPrograms(t *testing.T) {
	rules := Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}}
	for name, change := range map[string]func(*world, *Discovery, *fakeKernel){
		"other rules": func(w *world, d *Discovery, _ *fakeKernel) {
			if err := d.Apply(compile(t, Rules{Include: []Rule{{Exe: []string{"/bin/b"}}}})); err != nil {
				t.Fatal(err)
			}
		},
		"another path by the same name": func(w *world, d *Discovery, k *fakeKernel) {
			w.runs(k, d, proc{pid: 11, stack: 8, exe: "/moved/a"}, 1)
			if k.state(11) == StateSelected {
				t.Error("what was recalled stays")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d, k := w.started(rules)
			w.runs(k, d, proc{pid: 10, stack: 7, exe: "/bin/a"}, 1)
			if len(k.programs) != 1 {
				t.Fatalf("the kernel recalls %v", k.programs)
			}
			change(w, d, k)
			if len(k.programs) != 0 {
				t.Errorf("the kernel still recalls %v", k.programs)
			}
		})
	}
}

// TestRecalledAndEnded: processes that ended before anybody could look at them.
func TestRecalledAndEnded(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}, {Name: "shop", Exe: []string{"/bin/b"}, Ports: port(80)}}})
	w.runs(k, d, proc{pid: 10, stack: 7, exe: "/bin/a"}, 1)
	w.runs(k, d, proc{pid: 11, stack: 8, exe: "/bin/b"}, 2)
	for pid, program := range map[uint32]uint64{20: 1, 21: 2, 22: 2} {
		k.programOf = func(uint32) (uint64, uint64) { return program, uint64(pid) }
		k.exec(pid)
		if pid != 22 {
			k.listen(pid, 80)
		}
		k.exit(pid)
	}
	k.deliver(d, -1)
	for pid, want := range map[uint32]string{20: "a", 21: "shop", 22: ""} {
		got := ""
		if target := d.Lookup(pid); target != nil {
			got = target.Service
		}
		if got != want {
			t.Errorf("process %d is of service %q, want %q", pid, got, want)
		}
	}
}

// TestRecalledAndEnding: a process that is about to end has no memory any more.
func TestRecalledAndEnding(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Name: "shop", Exe: []string{"/bin/a"}}}})
	w.runs(k, d, proc{pid: 10, stack: 7, exe: "/bin/a"}, 1)
	w.put(proc{pid: 20, exe: "/unreadable"})
	k.programOf = func(uint32) (uint64, uint64) { return 1, 8 }
	k.exec(20)
	k.deliver(d, -1)
	w.remove(20)
	if target := d.Lookup(20); target == nil || target.Service != "shop" {
		t.Errorf("target %+v, want one of service shop", target)
	}
}

// TestRecalledWithoutNews: the event of the exec was lost.
func TestRecalledWithoutNews(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}})
	w.put(proc{pid: 30, stack: 9, exe: "/bin/c"})
	k.recalled[30] = Verdict{State: StateSelected}
	for range 2 {
		if _, err := d.Rescan(); err != nil {
			t.Fatal(err)
		}
	}
	if k.state(30) == StateSelected {
		t.Error("it stays selected")
	}
}

// TestListensWhileItIsJudged: what the kernel made of a listen stays.
func TestListensWhileItIsJudged(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Ports: port(80)}, {Exe: []string{"/bin/a"}}}})
	w.runs(k, d, proc{pid: 10, stack: 7, exe: "/bin/a"}, 1)
	server := proc{pid: 20, stack: 8, exe: "/bin/b"}
	w.put(server)
	k.programOf = func(uint32) (uint64, uint64) { return 2, 8 }
	k.exec(20)
	k.before = func(uint32) {
		if server.ports == nil {
			server.ports = []uint16{80}
			w.put(server)
			k.listen(20, 80)
		}
	}
	k.after = func(uint32) {
		if k.state(20) != StateSelected {
			t.Error("it is not selected for a while")
		}
	}
	k.deliver(d, -1)
	if k.state(20) != StateSelected || len(k.programs) != 1 {
		t.Errorf("it is %v, and the kernel recalls %v", k.state(20), k.programs)
	}
}
