// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// proc is a process of a fixture tree.
type proc struct {
	pid, ppid   uint32
	start       uint64
	stack       uint64
	state       string // default S
	flags       uint64
	exe         string
	argv        []string
	uid         uint32
	cgroup      string   // default "0::/\n"
	env         []string // KEY=value
	ports       []uint16 // listens on these
	unreadable  []string // files left out
	extraInodes []uint64 // sockets that listen nowhere
}

// world is a proc filesystem in a directory.
type world struct {
	t    testing.TB
	root string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir()}
	w.write("sys/kernel/random/boot_id", "5b0d1c1e-0000-4000-8000-000000000001\n")
	w.write("1000000/mountinfo", "25 1 0:22 / "+w.root+"/cg rw - cgroup2 cgroup2 rw\n")
	w.link("self", "1000000")
	return w
}

func (w *world) write(name, data string) {
	w.t.Helper()
	file := filepath.Join(w.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) link(name, target string) {
	w.t.Helper()
	file := filepath.Join(w.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		w.t.Fatal(err)
	}
}

// put creates or replaces a process.
func (w *world) put(p proc) {
	w.t.Helper()
	w.remove(p.pid)
	dir := strconv.Itoa(int(p.pid)) + "/"
	for name, data := range p.files() {
		if !slices.Contains(p.unreadable, name) {
			w.write(dir+name, data)
		}
	}
	if !slices.Contains(p.unreadable, "exe") {
		w.link(dir+"exe", p.exe)
	}
	w.link(dir+"ns/net", "net:[4026531840]")
	w.link(dir+"fd/0", "/dev/null")
	for i, inode := range slices.Concat(p.inodes(), p.extraInodes) {
		w.link(fmt.Sprintf("%sfd/%d", dir, i+3), fmt.Sprintf("socket:[%d]", inode))
	}
}

func (p proc) files() map[string]string {
	state := p.state
	if state == "" {
		state = "S"
	}
	cg := p.cgroup
	if cg == "" {
		cg = "0::/\n"
	}
	return map[string]string{
		"stat": fmt.Sprintf("%d (a) b) %s %d 1 1 0 -1 %d 1 1 1 1 1 1 1 1 20 0 1 0 %d 1 1 1 1 1 %d 0 0 0 0 0\n",
			p.pid, state, p.ppid, p.flags, p.start, p.stack),
		"cmdline": strings.Join(p.argv, "\x00") + "\x00",
		"status":  fmt.Sprintf("Name:\tx\nUid:\t0\t%d\t0\t0\nGid:\t0\t0\t0\t0\n", p.uid),
		"cgroup":  cg,
		"environ": strings.Join(p.env, "\x00") + "\x00",
		"net/tcp": p.netTCP(),
	}
}

// inode of a listening socket: one per port, so that children share it.
func (p proc) inodes() []uint64 {
	var inodes []uint64
	for _, port := range p.ports {
		inodes = append(inodes, 700000+uint64(port))
	}
	return inodes
}

const tcpHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// netTCP shows every port of the namespace as somebody's, and connections.
func (p proc) netTCP() string {
	var b strings.Builder
	b.WriteString(tcpHeader)
	b.WriteString("   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 20 4 30 10 -1\n")
	for _, port := range []uint16{80, 8080, 8081, 9000, 9005, 9090} {
		fmt.Fprintf(&b, "   1: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1 0 100 0 0 10 0\n",
			port, 700000+uint64(port))
	}
	return b.String()
}

func (w *world) remove(pid uint32) {
	w.t.Helper()
	if err := os.RemoveAll(filepath.Join(w.root, strconv.Itoa(int(pid)))); err != nil {
		w.t.Fatal(err)
	}
}

// process opens a process as the code under test does.
func (w *world) process(pid uint32) *process {
	w.t.Helper()
	fs, err := newProcFS(w.root, newContainerNames(w.root))
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := fs.open(pid)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// discovery returns a Discovery of the world and its kernel.
func (w *world) discovery(rules Rules) (*Discovery, *fakeKernel) {
	w.t.Helper()
	k := newFakeKernel()
	d, err := New(compile(w.t, rules), k, Options{ProcRoot: w.root, HostRoot: w.root, HostName: "host", Version: "1.2.3"})
	if err != nil {
		w.t.Fatal(err)
	}
	return d, k
}

func (w *world) started(rules Rules) (*Discovery, *fakeKernel) {
	w.t.Helper()
	d, k := w.discovery(rules)
	if err := d.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return d, k
}

func compile(t testing.TB, rules Rules) *Matcher {
	t.Helper()
	m, err := Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fakeKernel does what Kernel's documentation says the kernel does.
type fakeKernel struct {
	entries   map[uint32]Verdict
	cgroups   map[uint64]bool
	ports     map[uint16]portMask
	programs  map[uint64]Verdict
	recalled  map[uint32]Verdict
	full      bool                                      // no new entries
	writes    int                                       // SetProcess calls that succeeded
	before    func(uint32)                              // called before each write to an entry
	after     func(uint32)                              // and after it
	programOf func(tgid uint32) (program, stack uint64) // of an exec event; nil: none is known
	events    []func(*Discovery)
}

func newFakeKernel() *fakeKernel {
	return &fakeKernel{entries: map[uint32]Verdict{}, cgroups: map[uint64]bool{}, ports: map[uint16]portMask{},
		programs: map[uint64]Verdict{}, recalled: map[uint32]Verdict{}}
}

func (k *fakeKernel) hook(f func(uint32), tgid uint32) {
	if f != nil {
		f(tgid)
	}
}

var errFull = fmt.Errorf("map is full")

func (k *fakeKernel) WatchProcess(tgid uint32) (Verdict, error) {
	k.hook(k.before, tgid)
	defer k.hook(k.after, tgid)
	if v, ok := k.entries[tgid]; ok {
		return v, nil
	}
	if k.full {
		return Verdict{}, errFull
	}
	k.entries[tgid] = Verdict{}
	return Verdict{}, nil
}

func (k *fakeKernel) SetProcess(tgid uint32, v Verdict) error {
	k.hook(k.before, tgid)
	defer k.hook(k.after, tgid)
	if _, ok := k.entries[tgid]; !ok {
		return ErrGone
	}
	k.entries[tgid] = v
	delete(k.recalled, tgid)
	k.writes++
	return nil
}

func (k *fakeKernel) DeleteProcess(tgid uint32) error {
	k.hook(k.before, tgid)
	delete(k.entries, tgid)
	delete(k.recalled, tgid)
	k.hook(k.after, tgid)
	return nil
}

func (k *fakeKernel) SetProgram(program uint64, v Verdict) error {
	k.programs[program] = v
	return nil
}

func (k *fakeKernel) ClearPrograms() error {
	clear(k.programs)
	clear(k.recalled)
	return nil
}

func (k *fakeKernel) Unrecall(tgid uint32) error {
	k.hook(k.before, tgid)
	defer k.hook(k.after, tgid)
	delete(k.recalled, tgid)
	return nil
}

func (k *fakeKernel) Recalled() []uint32 { return slices.Sorted(maps.Keys(k.recalled)) }

func (k *fakeKernel) SetCgroup(id uint64, selected bool) error {
	if selected {
		k.cgroups[id] = true
	} else {
		delete(k.cgroups, id)
	}
	return nil
}

func (k *fakeKernel) UnsetPort(port uint16) error {
	delete(k.ports, port)
	return nil
}

func (k *fakeKernel) SetPort(port uint16, include, exclude uint64, auto bool) error {
	k.ports[port] = portMask{include: include, exclude: exclude, auto: auto}
	return nil
}

// verdict is what the kernel goes by, and whether it has any.
func (k *fakeKernel) verdict(tgid uint32) (Verdict, bool) {
	v, ok := k.entries[tgid]
	if recalled, known := k.recalled[tgid]; known && v.State == StateUnknown {
		return recalled, true
	}
	return v, ok
}

func (k *fakeKernel) fork(parent, child uint32) {
	v, ok := k.verdict(parent)
	if !ok {
		return
	}
	k.entries[child] = v
	selected := v.State == StateSelected
	k.events = append(k.events, func(d *Discovery) { d.OnFork(parent, child, selected) })
}

func (k *fakeKernel) exec(tgid uint32) {
	delete(k.entries, tgid)
	delete(k.recalled, tgid)
	e := Exec{TGID: tgid}
	if k.programOf != nil {
		e.Program, e.Stack = k.programOf(tgid)
	}
	if v, ok := k.programs[e.Program]; ok {
		k.recalled[tgid] = v
	}
	k.events = append(k.events, func(d *Discovery) { d.OnExec(e) })
}

func (k *fakeKernel) exit(tgid uint32) {
	_, ok := k.verdict(tgid)
	delete(k.entries, tgid)
	delete(k.recalled, tgid)
	if ok {
		k.events = append(k.events, func(d *Discovery) { d.OnExit(tgid) })
	}
}

func (k *fakeKernel) listen(tgid uint32, port uint16) {
	mask, named := k.ports[port]
	if !named {
		return
	}
	v, ok := k.verdict(tgid)
	switch {
	case v.State >= StateCandidate && v.Exclude&mask.exclude != 0:
		v.State, ok = StateExcluded, true
	case v.State == StateCandidate && v.Include&mask.include != 0:
		v.State = StateSelected
	case v.State == StateUnknown && mask.exclude != 0:
		v, ok = Verdict{State: StateExcluded}, true
	case v.State == StateUnknown && mask.auto:
		v, ok = Verdict{State: StateSelected, Exclude: ^uint64(0)}, true
	}
	if ok {
		k.entries[tgid] = v
	}
	e := Listen{TGID: tgid, Port: port, Selected: v.State == StateSelected}
	if k.programOf != nil {
		_, e.Stack = k.programOf(tgid)
	}
	k.events = append(k.events, func(d *Discovery) { d.OnListen(e) })
}

// deliver hands the oldest n events to d, all if n < 0.
func (k *fakeKernel) deliver(d *Discovery, n int) {
	for ; len(k.events) > 0 && n != 0; n-- {
		event := k.events[0]
		k.events = k.events[1:]
		event(d)
	}
}

func (k *fakeKernel) state(tgid uint32) State {
	v, _ := k.verdict(tgid)
	return v.State
}

func (k *fakeKernel) selected() []uint32 {
	var tgids []uint32
	for _, tgid := range slices.Concat(slices.Collect(maps.Keys(k.entries)), slices.Collect(maps.Keys(k.recalled))) {
		if k.state(tgid) == StateSelected {
			tgids = append(tgids, tgid)
		}
	}
	slices.Sort(tgids)
	return slices.Compact(tgids)
}

func wantStates(t *testing.T, k *fakeKernel, want map[uint32]State) {
	t.Helper()
	for _, tgid := range slices.Sorted(maps.Keys(want)) {
		if got := k.state(tgid); got != want[tgid] {
			t.Errorf("process %d: kernel has it %v, want %v", tgid, got, want[tgid])
		}
	}
}

func port(first uint16) []PortRange { return []PortRange{{First: first, Last: first}} }
