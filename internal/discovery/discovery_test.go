// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"slices"
	"testing"
	"time"
)

func TestStartSelectsRunningProcesses(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/usr/sbin/nginx", stack: 1})
	w.put(proc{pid: 11, exe: "/usr/bin/other", stack: 2})
	w.put(proc{pid: 12, exe: "/usr/bin/python3", stack: 3, ports: []uint16{8080}})
	w.put(proc{pid: 13, exe: "/usr/bin/python3", stack: 4})
	w.put(proc{pid: 14, exe: "/usr/sbin/nginx", stack: 5, uid: 33})
	w.put(proc{pid: 15, exe: "/usr/sbin/nginx", stack: 6, state: "Z"})
	w.put(proc{pid: 16, exe: "/usr/sbin/nginx", flags: pfKThread})
	d, k := w.started(Rules{
		Include: []Rule{{Exe: []string{"/usr/sbin/nginx"}}, {Exe: []string{"/usr/bin/python*"}, Ports: port(8080)}},
		Exclude: []Rule{{Users: []string{"33"}}},
	})
	wantStates(t, k, map[uint32]State{
		10: StateSelected, 11: StateUnknown, 12: StateSelected, 13: StateCandidate, 14: StateExcluded, 15: StateUnknown, 16: StateUnknown,
	})
	if s := d.Stats(); s.Selected != 2 || s.Candidates != 1 || s.Excluded != 1 {
		t.Errorf("stats %+v", s)
	}
	if target := d.Lookup(12); target == nil || target.RuleIndex != 1 || target.Service != "python3" {
		t.Errorf("target of 12: %+v", target)
	}
	for _, tgid := range []uint32{11, 13, 14, 99} {
		if target := d.Lookup(tgid); target != nil {
			t.Errorf("process %d has target %+v, want none", tgid, target)
		}
	}
}

func TestExecIsJudgedAgain(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/sh", stack: 1})
	d, k := w.started(Rules{Include: []Rule{{Name: "a", Exe: []string{"/bin/a"}}, {Name: "b", Exe: []string{"/bin/b"}}}})
	steps := []struct {
		exe    string
		state  State
		target string
	}{{"/bin/a", StateSelected, "a"}, {"/bin/c", StateUnknown, ""}, {"/bin/b", StateSelected, "b"}, {"/bin/a", StateSelected, "a"}}
	for i, step := range steps {
		w.put(proc{pid: 10, exe: step.exe, stack: uint64(i + 2)})
		k.exec(10)
		wantStates(t, k, map[uint32]State{10: StateUnknown})
		k.deliver(d, -1)
		wantStates(t, k, map[uint32]State{10: step.state})
		got := ""
		if target := d.Lookup(10); target != nil {
			got = target.Rule
		}
		// A program that is not selected must not have its predecessor's target.
		if got != step.target {
			t.Errorf("after %s: rule %q, want %q", step.exe, got, step.target)
		}
	}
}

func TestForkSharesTarget(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	d, k := w.started(Rules{Include: []Rule{{Name: "a", Exe: []string{"/bin/a"}}}})
	d.now = func() time.Time { return time.Now().Add(time.Minute) } // past settling
	w.put(proc{pid: 20, ppid: 10, exe: "/bin/a", stack: 1})
	k.fork(10, 20)
	writes := k.writes
	k.deliver(d, -1)
	if k.writes != writes {
		t.Error("a settled fork was written to the kernel, which had copied the entry")
	}
	if d.Lookup(20) == nil || d.Lookup(20) != d.Lookup(10) {
		t.Error("parent and child do not share one target")
	}
	changed, err := d.Rescan()
	if err != nil || changed != 0 {
		t.Errorf("rescan changed %d verdicts, error %v", changed, err)
	}
	// The child executes something else: not selected, the parent untouched.
	w.put(proc{pid: 20, ppid: 10, exe: "/bin/other", stack: 2})
	k.exec(20)
	k.deliver(d, -1)
	wantStates(t, k, map[uint32]State{10: StateSelected, 20: StateUnknown})
	if d.Lookup(20) != nil {
		t.Error("an executed program kept its parent's target")
	}
}

// A worker with a new title is recognised as a fork at start too. Whether it
// was forked before or after its parent listened cannot be known then.
func TestForkIsRecognisedAtStart(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 30, exe: "/usr/bin/app", stack: 7, argv: []string{"app", "serve"}, ports: []uint16{8080}})
	w.put(proc{pid: 20, ppid: 30, exe: "/usr/bin/app", stack: 7, argv: []string{"app: worker"}}) // lower pid: second pass
	w.put(proc{pid: 40, ppid: 30, exe: "/usr/bin/app", stack: 8, argv: []string{"app", "migrate"}})
	_, k := w.started(Rules{Include: []Rule{{Cmdline: []string{"* serve"}, Ports: port(8080)}}})
	wantStates(t, k, map[uint32]State{20: StateCandidate, 30: StateSelected, 40: StateUnknown})
	d, k := w.started(Rules{Include: []Rule{{Cmdline: []string{"* serve"}}}})
	wantStates(t, k, map[uint32]State{20: StateSelected, 30: StateSelected, 40: StateUnknown})
	if d.Lookup(20) != d.Lookup(30) {
		t.Error("worker does not share its parent's target")
	}
}

func TestForkWithinSettlingIsApplied(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}})
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	w.put(proc{pid: 20, ppid: 10, exe: "/bin/a", stack: 1})
	k.before = func(tgid uint32) { // the fork copies an entry without a verdict yet
		if v, ok := k.entries[10]; ok && v.State == StateUnknown && k.state(20) == StateUnknown {
			k.before = nil
			k.fork(10, 20)
		}
	}
	k.exec(10)
	k.deliver(d, -1)
	wantStates(t, k, map[uint32]State{10: StateSelected, 20: StateSelected})
	if d.Lookup(20) == nil {
		t.Error("child has no target")
	}
}

func TestForkOfUnknownParentIsJudged(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}})
	w.put(proc{pid: 20, ppid: 10, exe: "/bin/other", stack: 1})
	w.put(proc{pid: 21, ppid: 10, exe: "/bin/other", stack: 1})
	k.entries[20] = Verdict{}                     // copied while the parent was being judged
	k.entries[21] = Verdict{State: StateSelected} // the kernel knows best what was inherited
	d.OnFork(10, 20, false)
	d.OnFork(10, 21, true)
	wantStates(t, k, map[uint32]State{20: StateUnknown, 21: StateSelected})
	if _, ok := k.entries[20]; ok {
		t.Error("a useless entry was left in the kernel")
	}
	if target := d.Lookup(21); target == nil || target.RuleIndex != noRule || target.Service != "other" {
		t.Errorf("target %+v", target)
	}
}

func TestPidReuse(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, start: 100})
	d, k := w.started(Rules{Include: []Rule{{Name: "a", Exe: []string{"/bin/a"}}}})
	old := d.Lookup(10)
	w.remove(10)
	k.exit(10)
	k.deliver(d, -1)
	if d.Lookup(10) != old || old == nil {
		t.Error("target is not kept after exit")
	}
	w.put(proc{pid: 10, exe: "/bin/other", stack: 2, start: 200})
	if d.Lookup(10) != nil {
		t.Error("another process has the target of an exited one")
	}
	w.put(proc{pid: 10, exe: "/bin/a", stack: 3, start: 300})
	k.exec(10)
	k.deliver(d, -1)
	if again := d.Lookup(10); again == nil || again == old {
		t.Error("a new instance does not have its own target")
	}
}

// A process that ends has an entry in /proc until it is waited for, and loses what
// that tells piece by piece: what it said before is nevertheless its own.
func TestLookupWhileItEnds(t *testing.T) {
	living := proc{pid: 10, exe: "/bin/a", stack: 1, argv: []string{"a"}, ports: []uint16{8080}}
	stages := map[string]func(*proc){
		"all is there":   func(p *proc) { p.flags = pfExiting },
		"without memory": func(p *proc) { p.flags, p.stack, p.argv, p.unreadable = pfExiting, 0, nil, []string{"exe"} },
		"without files too": func(p *proc) {
			p.flags, p.stack, p.argv, p.unreadable, p.ports = pfExiting, 0, nil, []string{"exe"}, nil
		},
		"zombie": func(p *proc) {
			p.state, p.flags, p.stack, p.unreadable, p.ports = "Z", pfExiting, 0, []string{"exe"}, nil
		},
	}
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put(living)
			d, k := w.started(Rules{Include: []Rule{{Ports: port(8080)}}})
			want := d.Lookup(10)
			if want == nil || want.Service != "a" {
				t.Fatalf("target of the living: %+v", want)
			}
			ending := living
			stage(&ending)
			w.put(ending)
			k.exit(10)
			k.deliver(d, -1)
			if got := d.Lookup(10); got != want {
				t.Errorf("target %+v, want that of the living: %+v", got, want)
			}
			if len(k.entries) != 0 || len(d.recorded()) != 0 {
				t.Errorf("the kernel's entries: %v, records: %v; want none", k.entries, d.recorded())
			}
		})
	}
}

// Exit and exec events are lost: the rescan has to notice.
func TestRescanRepairsLostEvents(t *testing.T) {
	w := newWorld(t)
	for pid := uint32(10); pid < 15; pid++ {
		w.put(proc{pid: pid, exe: "/bin/a", stack: uint64(pid), start: uint64(pid)})
	}
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}, {Exe: []string{"/bin/b"}, Ports: port(8080)}}})
	w.remove(10)                                                                 // exit
	w.put(proc{pid: 11, exe: "/bin/other", stack: 111, start: 11})               // exec
	w.put(proc{pid: 12, exe: "/bin/other", stack: 12, start: 999})               // exit, reuse
	w.put(proc{pid: 13, exe: "/bin/a", state: "Z", stack: 13, start: 13})        // zombie
	w.put(proc{pid: 15, exe: "/bin/a", stack: 15, start: 15})                    // exec of a new process
	w.put(proc{pid: 16, exe: "/bin/b", stack: 16, ports: []uint16{8080, 55555}}) // exec and listen
	for _, tgid := range []uint32{10, 11, 12} {                                  // what the kernel did
		delete(k.entries, tgid)
	}
	if _, err := d.Rescan(); err != nil {
		t.Fatal(err)
	}
	if got, want := k.selected(), []uint32{14, 15, 16}; !slices.Equal(got, want) {
		t.Errorf("selected %v, want %v", got, want)
	}
	if got := len(d.recorded()); got != 3 {
		t.Errorf("%d records, want 3", got)
	}
}

// The news that a selected process listens on a port that excludes it is lost.
func TestRescanFindsExcludingPort(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}, Exclude: []Rule{{Ports: port(9090)}}})
	wantStates(t, k, map[uint32]State{10: StateSelected})
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, ports: []uint16{9090}})
	if _, err := d.Rescan(); err != nil {
		t.Fatal(err)
	}
	wantStates(t, k, map[uint32]State{10: StateExcluded})
}

func TestCandidateListens(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	w.put(proc{pid: 11, exe: "/bin/other", stack: 2})
	d, k := w.started(Rules{Include: []Rule{{Name: "web", Exe: []string{"/bin/a"}, Ports: []PortRange{{9000, 9010}}}}})
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, ports: []uint16{9005}})
	w.put(proc{pid: 11, exe: "/bin/other", stack: 2, ports: []uint16{9005}})
	k.listen(10, 9005)
	k.listen(11, 9005)
	wantStates(t, k, map[uint32]State{10: StateSelected, 11: StateUnknown}) // before any event
	k.deliver(d, -1)
	wantStates(t, k, map[uint32]State{10: StateSelected, 11: StateUnknown})
	if target := d.Lookup(10); target == nil || target.Service != "web" {
		t.Errorf("target %+v", target)
	}
	// The socket is closed, the selection stays.
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	if changed, err := d.Rescan(); err != nil || changed != 0 {
		t.Errorf("rescan changed %d, error %v", changed, err)
	}
	wantStates(t, k, map[uint32]State{10: StateSelected})
}

func TestPortsOnlyNeedsNoEntries(t *testing.T) {
	w := newWorld(t)
	for pid := uint32(10); pid < 30; pid++ {
		w.put(proc{pid: pid, exe: "/bin/any", stack: uint64(pid)})
	}
	w.put(proc{pid: 30, exe: "/bin/any", stack: 30, ports: []uint16{8080}})
	w.put(proc{pid: 31, exe: "/bin/any", stack: 31, ports: []uint16{8080, 9090}})
	d, k := w.started(Rules{Include: []Rule{{Name: "p", Ports: port(8080)}}, Exclude: []Rule{{Ports: port(9090)}}})
	if len(k.entries) != 2 {
		t.Errorf("%d entries, want 2", len(k.entries))
	}
	wantStates(t, k, map[uint32]State{30: StateSelected, 31: StateExcluded})
	w.put(proc{pid: 10, exe: "/bin/any", stack: 10, ports: []uint16{8080}})
	k.listen(10, 8080)
	wantStates(t, k, map[uint32]State{10: StateSelected}) // at once
	k.deliver(d, -1)
	if target := d.Lookup(10); target == nil || target.Rule != "p" {
		t.Errorf("target %+v", target)
	}
	w.put(proc{pid: 10, exe: "/bin/any", stack: 10, ports: []uint16{8080, 9090}})
	k.listen(10, 9090)
	wantStates(t, k, map[uint32]State{10: StateExcluded})
	k.deliver(d, -1)
	wantStates(t, k, map[uint32]State{10: StateExcluded})
	if d.Lookup(10) != nil {
		t.Error("an excluded process has a target")
	}
}

func TestInheritedSocketAtExec(t *testing.T) {
	w := newWorld(t)
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}, Ports: port(8080)}}})
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, ports: []uint16{8080}})
	k.exec(10)
	k.deliver(d, -1)
	wantStates(t, k, map[uint32]State{10: StateSelected})
}

func TestExclusionWins(t *testing.T) {
	all := Rule{Exe: []string{"/**"}}
	tests := []struct {
		name    string
		exclude Rule
	}{
		{"exe", Rule{Exe: []string{"/bin/x"}}},
		{"pid", Rule{PIDs: []int{10}}},
		{"user", Rule{Users: []string{"33"}}},
		{"cmdline", Rule{Cmdline: []string{"*--secret*"}}},
		{"unit", Rule{Units: []string{"secret"}}},
		{"container", Rule{Containers: []string{"abcdef"}}},
		{"port", Rule{Ports: port(9090)}},
		{"exe and port", Rule{Exe: []string{"/bin/x"}, Ports: port(9090)}},
	}
	id := "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
	p := proc{
		pid: 10, exe: "/bin/x", uid: 33, argv: []string{"x", "--secret/y"}, stack: 1, ports: []uint16{8080, 9090},
		cgroup: "0::/system.slice/secret.service/docker/" + id + "\n",
	}
	includes := map[string][]Rule{"all": {all}, "port": {{Ports: port(8080)}}, "unit": {{Units: []string{"secret"}}}}
	for _, tt := range tests {
		for name, include := range includes {
			t.Run(tt.name+" from "+name, func(t *testing.T) {
				w := newWorld(t)
				w.put(p)
				d, k := w.started(Rules{Include: include, Exclude: []Rule{tt.exclude}})
				check := func(when string) {
					t.Helper()
					if k.state(10) == StateSelected || d.Lookup(10) != nil {
						t.Errorf("%s: selected", when)
					}
				}
				check("at start")
				k.exec(10)
				k.deliver(d, -1)
				check("after exec")
				k.listen(10, 8080)
				check("after listen")
				k.deliver(d, -1)
				check("after the listen event")
				w.put(proc{pid: 20, ppid: 10, exe: p.exe, stack: 1, cgroup: p.cgroup, uid: p.uid, argv: p.argv, ports: p.ports})
				k.fork(10, 20)
				k.deliver(d, -1)
				if k.state(20) == StateSelected || d.Lookup(20) != nil {
					t.Error("forked child is selected")
				}
			})
		}
	}
}

// What an exclude rule needs cannot be read: excluded. What an include rule
// needs cannot be read: not included.
func TestUnreadableFailsClosed(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, unreadable: []string{"status"}})
	w.put(proc{pid: 11, exe: "/bin/a", stack: 2, unreadable: []string{"exe"}})
	_, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/*"}}}, Exclude: []Rule{{Users: []string{"12345"}}}})
	wantStates(t, k, map[uint32]State{10: StateExcluded, 11: StateUnknown})
}

// A forked worker changes its user after the fork: no event tells.
func TestExclusionByUserAfterFork(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	d, k := w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}, Exclude: []Rule{{Users: []string{"33"}}}})
	d.now = func() time.Time { return time.Now().Add(time.Minute) }
	w.put(proc{pid: 20, ppid: 10, exe: "/bin/a", stack: 1})
	k.fork(10, 20)
	k.deliver(d, -1)
	w.put(proc{pid: 20, ppid: 10, exe: "/bin/a", stack: 1, uid: 33})
	if d.Lookup(20) != nil {
		t.Error("the first lookup did not notice the exclusion")
	}
	wantStates(t, k, map[uint32]State{10: StateSelected, 20: StateExcluded})
}

func TestAgentExcludesItself(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, ports: []uint16{8080}})
	k := newFakeKernel()
	d, err := New(compile(t, Rules{Include: []Rule{{Ports: port(8080)}, {Exe: []string{"/**"}}}}), k,
		Options{ProcRoot: w.root, Self: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantStates(t, k, map[uint32]State{10: StateExcluded})
}

func TestLimitsFailClosed(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	w.put(proc{pid: 11, exe: "/bin/a", stack: 2})
	d, k := w.discovery(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}})
	d.opts.MaxProcesses = 1
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(k.entries) != 1 || d.Stats().LimitHit == 0 {
		t.Errorf("%d entries, stats %+v", len(k.entries), d.Stats())
	}
	d.opts.MaxProcesses = 10
	k.full = true
	if _, err := d.Rescan(); err != nil {
		t.Fatal(err)
	}
	if len(k.entries) != 1 || d.Stats().KernelErrors == 0 {
		t.Errorf("map full: %d entries, stats %+v", len(k.entries), d.Stats())
	}
}

func TestExitedIsBounded(t *testing.T) {
	e := newExited(3)
	a, b := &Target{Rule: "a"}, &Target{Rule: "b"}
	e.add(1, a)
	e.add(2, a)
	e.add(1, b) // the same id again
	e.add(3, a) // pushes the first exit of 1 out, not the second
	if e.get(1) != b || e.get(2) != a || e.get(3) != a {
		t.Errorf("kept %+v", e.targets)
	}
	for tgid := uint32(10); tgid < 100; tgid++ {
		e.add(tgid, a)
	}
	if len(e.targets) != 3 {
		t.Errorf("%d targets kept, want 3", len(e.targets))
	}
	e.add(200, nil)
	if e.get(200) != nil {
		t.Error("a process without a target has one after exit")
	}
}

// TestUnseen: what the kernel selected by its port, and ended before it could be
// looked at, has a target, unless more than the port decides.
func TestUnseen(t *testing.T) {
	w := newWorld(t)
	ports := []PortRange{{First: 80, Last: 80}}
	d, _ := w.started(Rules{Include: []Rule{{Name: "shop", Ports: ports}}})
	d.OnListen(Listen{TGID: 7, Port: 80, Selected: true})
	d.OnExit(7)
	target := d.Lookup(7)
	if target == nil || target.Service != "shop" {
		t.Fatalf("target %+v", target)
	}
	if pid, _ := target.Resource.Set().Value("process.pid"); pid.AsInt64() != 7 {
		t.Errorf("process.pid is %v", pid)
	}
	// So have its children, which may be what served.
	d.OnListen(Listen{TGID: 17, Port: 80, Selected: true})
	d.OnFork(17, 18, true)
	d.OnFork(17, 19, false)
	d.OnFork(18, 20, true)
	for pid := range uint32(4) {
		d.OnExit(17 + pid)
	}
	for pid, want := range map[uint32]bool{17: true, 18: true, 19: false, 20: true} {
		if target := d.Lookup(pid); (target != nil) != want {
			t.Errorf("process %d has target %+v, want one: %v", pid, target, want)
		}
	}
	d.OnListen(Listen{TGID: 8, Port: 80, Selected: false})
	if target := d.Lookup(8); target != nil {
		t.Errorf("a process that was not selected has target %+v", target)
	}
	d, _ = w.started(Rules{Include: []Rule{{Ports: ports, Exe: []string{"/bin/a"}}}})
	d.OnListen(Listen{TGID: 9, Port: 80, Selected: true})
	if target := d.Lookup(9); target != nil {
		t.Errorf("a process of which more must be known has target %+v", target)
	}
}
