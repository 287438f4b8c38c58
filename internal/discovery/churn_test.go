// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// churnRule is a rule together with a predicate that says the same without the
// code under test.
type churnRule struct {
	rule  Rule
	other func(proc) bool // all criteria but the ports
	ports []uint16        // empty: no port criterion
}

func (r churnRule) matches(p proc) bool {
	if !r.other(p) {
		return false
	}
	return len(r.ports) == 0 || slices.ContainsFunc(p.ports, func(port uint16) bool { return slices.Contains(r.ports, port) })
}

func anyProc(proc) bool { return true }

func exeIs(exe string) func(proc) bool { return func(p proc) bool { return p.exe == exe } }

type churnRules struct{ include, exclude []churnRule }

func churnRuleSets() map[string]churnRules {
	rule8080 := churnRule{Rule{Ports: port(8080)}, anyProc, []uint16{8080}}
	range9000 := churnRule{Rule{Exe: []string{"/bin/a"}, Ports: []PortRange{{9000, 9010}}}, exeIs("/bin/a"), []uint16{9000, 9005}}
	exeB := churnRule{Rule{Exe: []string{"/bin/b"}}, exeIs("/bin/b"), nil}
	no9090 := churnRule{Rule{Ports: port(9090)}, anyProc, []uint16{9090}}
	noA9090 := churnRule{Rule{Exe: []string{"/bin/a"}, Ports: port(9090)}, exeIs("/bin/a"), []uint16{9090}}
	noC := churnRule{Rule{Exe: []string{"/bin/c"}}, exeIs("/bin/c"), nil}
	noRoot := churnRule{Rule{Users: []string{"0"}}, func(p proc) bool { return p.uid == 0 }, nil}
	return map[string]churnRules{
		"ports only":      {[]churnRule{rule8080}, []churnRule{no9090}},
		"ports and exe":   {[]churnRule{rule8080, range9000, exeB}, nil},
		"with exclusions": {[]churnRule{rule8080, range9000, exeB}, []churnRule{noA9090, noC}},
		"mixed":           {[]churnRule{range9000, exeB}, []churnRule{no9090, noRoot}},
		"exe only":        {[]churnRule{exeB}, []churnRule{noC}},
	}
}

func (r churnRules) compile() Rules {
	var rules Rules
	for _, c := range r.include {
		rules.Include = append(rules.Include, c.rule)
	}
	for _, c := range r.exclude {
		rules.Exclude = append(rules.Exclude, c.rule)
	}
	return rules
}

// fresh is the verdict that a judgement from scratch must give.
func (r churnRules) fresh(p proc) State {
	matches := func(c churnRule) bool { return c.matches(p) }
	switch {
	case slices.ContainsFunc(r.exclude, matches):
		return StateExcluded
	case slices.ContainsFunc(r.include, matches):
		return StateSelected
	default:
		return StateUnknown
	}
}

// churn is a machine under churn: what runs, and what must hold of it.
type churn struct {
	*world
	rng   *rand.Rand
	rules churnRules
	k     *fakeKernel
	d     *Discovery
	procs map[uint32]proc
	want  map[uint32]State // the model: fresh verdicts joined since exec
	stack uint64
	hooks bool
	log   []string
}

// note keeps the history for a failure's message.
func (c *churn) note(format string, args ...any) {
	c.log = append(c.log, fmt.Sprintf(format, args...))
}

func (c *churn) fail(tgid uint32, want string) {
	c.t.Helper()
	recent := c.log[max(0, len(c.log)-40):]
	c.t.Fatalf("process %d is %v in the kernel, must be %s; last steps:\n%s",
		tgid, c.k.state(tgid), want, strings.Join(recent, "\n"))
}

func (c *churn) set(p proc, inherited State) {
	c.put(p)
	c.procs[p.pid] = p
	c.want[p.pid] = max(inherited, c.rules.fresh(p))
}

func (c *churn) program(pid, ppid uint32, keep []uint16) proc {
	c.stack += 16
	exes := []string{"/bin/a", "/bin/b", "/bin/c", "/bin/d"}
	return proc{
		pid: pid, ppid: ppid, start: c.stack, stack: c.stack, exe: exes[c.rng.IntN(len(exes))],
		uid: uint32(c.rng.IntN(2)), argv: []string{"x"}, ports: keep,
	}
}

func (c *churn) pick() (proc, bool) {
	pids := slices.Sorted(maps.Keys(c.procs))
	if len(pids) == 0 {
		return proc{}, false
	}
	return c.procs[pids[c.rng.IntN(len(pids))]], true
}

func (c *churn) fork() {
	parent, ok := c.pick()
	pid := uint32(100 + c.rng.IntN(12)) // few ids: reuse is common
	if _, used := c.procs[pid]; used || !ok {
		return
	}
	child := parent
	c.stack++
	child.pid, child.ppid, child.start = pid, parent.pid, c.stack
	c.set(child, c.want[parent.pid])
	c.note("%d forks %d", parent.pid, pid)
	c.k.fork(parent.pid, pid)
}

func (c *churn) exec(p proc) {
	var keep []uint16
	if c.rng.IntN(3) == 0 {
		keep = p.ports // not close-on-exec
	}
	next := c.program(p.pid, p.ppid, keep)
	next.start, next.uid = p.start, p.uid
	c.set(next, StateUnknown)
	c.note("%d executes %s, keeps %v", p.pid, next.exe, keep)
	c.k.exec(p.pid)
}

func (c *churn) exit(p proc) {
	if p.pid == 1 {
		return
	}
	c.remove(p.pid)
	delete(c.procs, p.pid)
	delete(c.want, p.pid)
	c.note("%d exits", p.pid)
	c.k.exit(p.pid)
}

func (c *churn) listen(p proc) {
	ports := []uint16{8080, 8081, 9000, 9005, 9090}
	port := ports[c.rng.IntN(len(ports))]
	if slices.Contains(p.ports, port) {
		return
	}
	p.ports = append(slices.Clone(p.ports), port)
	c.set(p, c.want[p.pid])
	c.note("%d (%s) listens on %d", p.pid, p.exe, port)
	c.k.listen(p.pid, port)
}

func (c *churn) step() {
	p, ok := c.pick()
	switch op := c.rng.IntN(12); {
	case !ok || op < 3:
		c.fork()
	case op < 6:
		c.exec(p)
	case op < 8:
		c.listen(p)
	case op < 9:
		c.exit(p)
	case op < 11:
		n := 1 + c.rng.IntN(4)
		c.note("%d events of %d", n, len(c.k.events))
		c.k.deliver(c.d, n)
	default:
		c.note("rescan")
		if _, err := c.d.Rescan(); err != nil {
			c.t.Fatal(err)
		}
	}
}

// check is the promise: at no moment is selected what must not be.
func (c *churn) check(uint32) {
	for _, tgid := range c.k.selected() {
		if c.want[tgid] != StateSelected {
			c.fail(tgid, c.want[tgid].String())
		}
	}
}

// interfere changes a process at the worst moment: right before a write about it.
func (c *churn) interfere(tgid uint32) {
	p, ok := c.procs[tgid]
	if !ok || !c.hooks || c.rng.IntN(4) != 0 {
		return
	}
	if c.rng.IntN(4) == 0 {
		c.exit(p)
		return
	}
	c.exec(p)
}

// quiet checks that after everything was delivered nothing is missing either.
func (c *churn) quiet() {
	c.hooks = false
	c.note("all %d events", len(c.k.events))
	c.k.deliver(c.d, -1)
	for range 3 {
		if _, err := c.d.Rescan(); err != nil {
			c.t.Fatal(err)
		}
	}
	for tgid, want := range c.want {
		if want == StateSelected && c.k.state(tgid) != StateSelected {
			c.fail(tgid, "selected")
		}
		if target := c.d.Lookup(tgid); (target != nil) != (want == StateSelected) {
			c.t.Fatalf("process %d, %v, has target %v", tgid, want, target)
		}
	}
	c.hooks = true
}

func newChurn(t testing.TB, rules churnRules, seed uint64) *churn {
	c := &churn{
		world: newWorld(t), rng: rand.New(rand.NewPCG(seed, 1)), rules: rules,
		procs: map[uint32]proc{}, want: map[uint32]State{},
	}
	c.d, c.k = c.discovery(rules.compile())
	clock := time.Unix(0, 0)
	c.d.now = func() time.Time {
		if len(c.k.events) == 0 { // no event is older than settling
			clock = clock.Add(settling)
		}
		return clock
	}
	for pid := uint32(1); pid < 5; pid++ {
		c.set(c.program(pid, 1, nil), StateUnknown)
	}
	if err := c.d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.k.before, c.k.after = c.interfere, c.check
	c.k.programOf = func(tgid uint32) (uint64, uint64) {
		p := c.procs[tgid]
		return uint64(p.exe[len(p.exe)-1]), p.stack
	}
	c.hooks = true
	return c
}

func (c *churn) run(steps int) {
	for i := range steps {
		c.step()
		c.check(0)
		if i%50 == 49 {
			c.quiet()
		}
	}
	c.quiet()
}

// churnSeeds makes a longer search: go test -run TestChurn -churn.seeds 200
var churnSeeds = flag.Uint64("churn.seeds", 3, "random histories for each set of rules")

func TestChurn(t *testing.T) {
	for name, rules := range churnRuleSets() {
		t.Run(name, func(t *testing.T) {
			for seed := range *churnSeeds {
				newChurn(t, rules, seed).run(100)
			}
		})
	}
}
