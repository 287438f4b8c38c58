// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// Options of a Discovery and of Explain. The zero value is usable.
type Options struct {
	ProcRoot string // default /proc; its processes must have the kernel's (the initial namespace's) pids
	HostRoot string // where the host's /etc and /var are; default /
	HostName string // host.name; default os.Hostname
	Version  string // of the agent, for telemetry.distro.version
	Self     uint32 // the agent's own process: always excluded; 0: none
	Pods     Pods   // what is known of pods; nil: rules about pods match nothing

	RescanEvery  time.Duration // default 30 s
	MaxProcesses int           // records of processes with a verdict; default 65536
	KeepExited   int           // targets kept after exit; default 4096

	Log *slog.Logger // default: discard
}

func (o Options) withDefaults() Options {
	if o.ProcRoot == "" {
		o.ProcRoot = "/proc"
	}
	if o.HostRoot == "" {
		o.HostRoot = "/"
	}
	if o.HostName == "" {
		o.HostName, _ = os.Hostname() // without a name the resource has none
	}
	if o.RescanEvery <= 0 {
		o.RescanEvery = 30 * time.Second
	}
	if o.MaxProcesses <= 0 {
		o.MaxProcesses = 1 << 16
	}
	if o.KeepExited <= 0 {
		o.KeepExited = 4096
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Stats counts what Discovery did since New; the first four are of now.
type Stats struct {
	Candidates, Selected, Excluded int // processes with that verdict
	Cgroups                        int // selected cgroups

	Judged       uint64 // judgements of a process
	KernelErrors uint64 // failed map updates; the process stays unselected
	LimitHit     uint64 // verdicts not applied because of MaxProcesses or the cgroup limit
	Environment  uint64 // selected processes whose environment was unreadable or malformed
}

// Discovery keeps the kernel's selection in step with the rules. OnFork,
// OnExec, OnExit, OnListen and Lookup are for one goroutine, in the order of
// the events; Rescan, Refresh, Apply, Run and Stats are for any. A rescan judges without the
// lock and holds it only for lookups and for applying a changed verdict.
type Discovery struct {
	kernel Kernel
	opts   Options
	fs     *procFS
	now    func() time.Time
	watch  cgroupWatch

	// passing is held by whoever goes over all processes: one at a time, and
	// with the rules that the pass began with.
	passing sync.Mutex

	mu        sync.Mutex
	matcher   *Matcher // replaced with both locks held
	procs     map[uint32]*record
	exited    *exited
	resources *resources
	cgroups   *cgroupSet
	stats     Stats
	fellAt    time.Time // when a change last ended a selection
	known     map[uint64]knownProgram
	unjudged  map[uint32]knownProgram // candidates that ended before they were looked at: they may have listened
	recalled  []uint32                // processes whose recalled verdict was not settled at the last pass
}

// record is a process with a verdict.
type record struct {
	verdict Verdict  // what the kernel's entry was when last seen
	own     Verdict  // without regard to listening ports: what a fork shares whenever it was made
	rule    int      // include rule that selected it, or noRule
	rules   *Matcher // that rule and the verdict's masks are of
	target  *Target  // non-nil iff Selected
	program program
	start   uint64 // 0: forked and not read yet
	setAt   time.Time
	pod     string // UID of its pod, "" if in none
	// unchecked: forked, and exclusions that may have begun to match since
	// then were not looked at.
	unchecked bool
}

// program identifies an execution of an executable, up to fork.
type program struct {
	stack uint64 // see procStat
	exe   string
}

func programOf(p *process) program {
	exe, _ := p.exe() // unreadable: the stack has to do
	return program{stack: p.stat.stack, exe: exe}
}

// is tells whether p is the process and the program of the record.
func (r *record) is(p *process) bool {
	return (r.start == 0 || r.start == p.stat.start) && r.program == programOf(p)
}

// forked tells whether p was forked from r's process without an exec.
func (r *record) forked(p *process) bool {
	return r.program.stack != 0 && r.program == programOf(p)
}

// New returns a Discovery that has not looked at anything yet.
func New(m *Matcher, k Kernel, opts Options) (*Discovery, error) {
	opts = opts.withDefaults()
	fs, err := newProcFS(opts.ProcRoot, newContainerNames(opts.HostRoot))
	if err != nil {
		return nil, err
	}
	fs.pods = opts.Pods
	return &Discovery{
		matcher:   m,
		kernel:    k,
		opts:      opts,
		fs:        fs,
		now:       time.Now,
		procs:     map[uint32]*record{},
		exited:    newExited(opts.KeepExited),
		resources: newResources(opts),
		cgroups:   newCgroupSet(fs),
		known:     map[uint64]knownProgram{},
		unjudged:  map[uint32]knownProgram{},
	}, nil
}

// maxPasses bounds the passes of Start on a machine that forks without end;
// the events cover what is left.
const maxPasses = 10

// Start names the ports to the kernel and judges every process until a pass
// finds nothing new. The kernel programs must be attached before, so that no
// fork, exec or listen is missed; events may queue up meanwhile.
func (d *Discovery) Start(ctx context.Context) error {
	d.passing.Lock()
	defer d.passing.Unlock()
	if err := d.namePorts(d.matcher); err != nil {
		return err
	}
	if d.opts.Self != 0 {
		d.mu.Lock()
		d.settle(d.opts.Self, newListeners(nil))
		d.mu.Unlock()
	}
	heard := newListeners(d.matcher.ports) // what listens later causes an event
	for range maxPasses {
		changed, err := d.pass(heard)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if changed == 0 {
			return nil
		}
	}
	return nil
}

func (d *Discovery) namePorts(m *Matcher) error {
	for port, mask := range m.ports {
		if err := d.kernel.SetPort(port, mask.include, mask.exclude, mask.auto); err != nil {
			return fmt.Errorf("name port %d to the kernel: %w", port, err)
		}
	}
	return nil
}

// Run rescans periodically until ctx is done. It is the safety net for lost
// events and for changes that cause none.
func (d *Discovery) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { d.watch.run(ctx, d.newCgroup) })
	defer watching.Wait()
	ticker := time.NewTicker(d.opts.RescanEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := d.Rescan(); err != nil {
				d.opts.Log.Warn("rescan of processes failed", "error", err)
			}
		}
	}
}

// Rescan judges every process and returns how many verdicts changed.
func (d *Discovery) Rescan() (int, error) {
	d.passing.Lock()
	defer d.passing.Unlock()
	return d.pass(newListeners(d.matcher.ports))
}

// pass judges every process. Callers hold passing.
func (d *Discovery) pass(heard *listeners) (int, error) {
	if err := d.syncCgroups(); err != nil {
		d.opts.Log.Debug("cgroups cannot be listed", "error", err)
	}
	pids, err := d.fs.pids()
	if err != nil {
		return 0, err
	}
	changed := 0
	for _, pid := range pids {
		if d.rescan(pid, heard) {
			changed++
		}
	}
	for _, tgid := range d.recorded() {
		if _, alive := slices.BinarySearch(pids, tgid); !alive {
			d.reap(tgid)
		}
	}
	d.reapRecalled()
	return changed, nil
}

// rescan judges one process without the lock and applies what has changed.
func (d *Discovery) rescan(pid uint32, l *listeners) bool {
	p, err := d.fs.open(pid)
	if err != nil {
		d.reap(pid)
		return false
	}
	fresh := d.judge(p)
	if fresh.needsPorts() && !d.keepsPorts(p) {
		fresh = d.matcher.listen(fresh, l.ports(p))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Judged++
	rec := d.procs[pid]
	want := fresh.join(d.forkedFrom(p).own)
	if rec != nil && rec.is(p) && rec.verdict == want.join(rec.verdict) {
		rec.start = p.stat.start
		rec.unchecked = false
		return false
	}
	if rec == nil && !d.matcher.needsEntry(want) {
		return false
	}
	d.settle(pid, l)
	return true
}

// keepsPorts tells whether it makes no difference on what p listens: it is selected,
// which it stays whatever it closes, and no port would exclude it.
func (d *Discovery) keepsPorts(p *process) bool {
	if d.matcher.portsExclude() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	rec := d.procs[p.pid]
	return rec != nil && rec.verdict.State == StateSelected && rec.is(p)
}

// reap forgets a process that has ended though no event said so.
func (d *Discovery) reap(tgid uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.procs[tgid] == nil {
		return
	}
	if _, err := d.fs.open(tgid); err != nil {
		d.drop(tgid)
	}
}

func (d *Discovery) recorded() []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	tgids := make([]uint32, 0, len(d.procs))
	for tgid := range d.procs {
		tgids = append(tgids, tgid)
	}
	return tgids
}

// Stats returns the counters.
func (d *Discovery) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	for _, rec := range d.procs {
		switch rec.verdict.State {
		case StateCandidate:
			s.Candidates++
		case StateSelected:
			s.Selected++
		case StateExcluded:
			s.Excluded++
		}
	}
	s.Cgroups = len(d.cgroups.selected)
	return s
}
