// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/internal/gobin"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/probes"
)

// programs knows what the traced processes run, as far as linking needs it, and
// tells the kernel where Go's runtime keeps its goroutines. Safe for concurrent use.
type programs struct {
	probes *probes.Probes
	runs   func(tgid uint32) bool // says that a process has not ended, nor is about to
	log    *slog.Logger
	fresh  chan uint32    // processes that were just selected
	young  chan uint32    // those that are looked into when they are old enough ...
	calls  chan uint32    // ... or begin to connect
	bare   atomic.Bool    // no process gets a probe
	shut   bool           // nor is any looked into
	ended  chan io.Closer // probes of processes that are over: the kernel takes its time to remove one

	looking sync.Mutex // held while an executable is read: only byFile is used under it
	byFile  map[file]*program
	mu      sync.Mutex // never held for long: verdicts wait for it
	byTGID  map[uint32]*process
}

// file tells an executable from others, and from what the same path held before.
type file struct {
	dev, ino    uint64
	mtime, size int64
}

// program is what is known of an executable.
type program struct {
	kind     link.Program
	layout   probes.GoLayout
	entry    uint64 // of net/http.(*persistConn).roundTrip in the file, 0: not there
	noPython int    // processes that were looked at and ran none; changes under mu
}

type process struct {
	program *program
	tried   bool      // to put a probe into it; only used under looking
	probe   io.Closer // nil: none
	python  python
}

// maturity is the age at which a process is looked into, if it calls nobody
// before: a probe takes milliseconds, which a short life is not worth.
const maturity = time.Second

const (
	maxFiles   = 1024 // executables remembered
	freshQueue = 1024 // processes that wait to be looked at; others are when they first say something
)

// newPrograms returns what knows programs, and of processes only their executable
// unless into says that they may be looked into.
func newPrograms(p *probes.Probes, into bool, log *slog.Logger) *programs {
	s := &programs{
		probes: p, shut: !into, log: log, fresh: make(chan uint32, freshQueue), young: make(chan uint32, freshQueue), calls: make(chan uint32, freshQueue), ended: make(chan io.Closer, freshQueue),
		byFile: map[file]*program{}, byTGID: map[uint32]*process{},
	}
	s.bare.Store(s.shut)
	return s
}

// run looks at processes as they are selected, until ctx is done.
func (s *programs) run(ctx context.Context) {
	type pending struct {
		tgid uint32
		due  time.Time
	}
	var waiting []pending // the oldest first
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case tgid := <-s.fresh:
			s.kind(tgid)
		case tgid := <-s.young:
			waiting = append(waiting, pending{tgid, time.Now().Add(maturity)})
			if len(waiting) == 1 {
				timer.Reset(maturity)
			}
		case tgid := <-s.calls:
			s.lookInto(tgid)
		case <-timer.C:
			for len(waiting) > 0 && !waiting[0].due.After(time.Now()) {
				s.lookInto(waiting[0].tgid)
				waiting = waiting[1:]
			}
			if len(waiting) > 0 {
				timer.Reset(time.Until(waiting[0].due))
			}
		case probe := <-s.ended:
			s.remove(probe)
		}
	}
}

// catchUp looks at the processes that are selected already.
func (s *programs) catchUp() {
	for len(s.fresh) > 0 {
		s.kind(<-s.fresh)
	}
	for len(s.young) > 0 {
		s.lookInto(<-s.young)
	}
}

// opens takes the news that a process begins to connect. It does not wait. A
// nil programs, of a replay, takes no notice.
func (s *programs) opens(tgid uint32) {
	if s == nil || s.shut {
		return
	}
	s.mu.Lock()
	p := s.byTGID[tgid]
	known := p != nil && (p.probe != nil || p.program.entry == 0) && !p.open(time.Now())
	s.mu.Unlock()
	if !known {
		offer(s.calls, tgid)
	}
}

// offer hands a process over unless too many wait.
func offer(to chan<- uint32, tgid uint32) {
	select {
	case to <- tgid:
	default:
	}
}

// selected takes the news that a process is traced from now on. It does not wait.
func (s *programs) selected(tgid uint32) { offer(s.fresh, tgid) }

// layout returns what the kernel is to be told of a process, the zero value if that is not known.
func (s *programs) layout(tgid uint32) probes.GoLayout {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byTGID[tgid]
	switch {
	case p == nil || s.shut:
		return probes.GoLayout{}
	case p.python.told:
		return probes.GoLayout{Python: 1}
	}
	return p.program.layout
}

// kind returns what a process runs. The first time that takes some milliseconds
// for each executable.
func (s *programs) kind(tgid uint32) link.Program {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	p := s.byTGID[tgid]
	s.mu.Unlock()
	if p != nil {
		return p.program.kind
	}
	exe := fmt.Sprintf("/proc/%d/exe", tgid)
	prog, err := s.inspect(exe)
	if err != nil {
		s.log.Debug("program not looked at", "pid", tgid, "error", err)
		return link.OtherProgram
	}
	p = &process{program: prog}
	s.mu.Lock()
	s.byTGID[tgid] = p
	s.mu.Unlock()
	if !s.runs(tgid) { // the news of its end may have come before
		s.forget(tgid)
		return prog.kind
	}
	if s.shut {
		return prog.kind
	}
	if prog.layout.Goid != 0 {
		s.tell(tgid, p)
	}
	if prog.entry != 0 || prog.kind == link.OtherProgram {
		offer(s.young, tgid)
	}
	return prog.kind
}

// lookInto looks into a process that is worth it: it calls others, or is no short-lived one.
func (s *programs) lookInto(tgid uint32) {
	if s.kind(tgid) == link.GoProgram { // it may be the first that is heard of the process
		s.probe(tgid)
	} else {
		s.lookForTasks(tgid)
	}
}

// tell tells the kernel of a Go program. Without it its calls are linked by less.
func (s *programs) tell(tgid uint32, p *process) {
	err := s.watch(tgid)
	if err == nil {
		err = s.probes.SetGo(tgid, p.program.layout)
	}
	s.report(tgid, err)
}

// watch makes sure that a process has an entry: its cgroup may have selected it.
// The kernel removes that at the process's end, so one that is over gets none.
func (s *programs) watch(tgid uint32) error {
	if _, err := s.probes.WatchProcess(tgid); err != nil {
		return err
	}
	if !s.runs(tgid) {
		return errors.Join(probes.ErrGone, s.probes.DeleteProcess(tgid))
	}
	return nil
}

// probe puts a probe into a Go program that has net/http's client, once.
func (s *programs) probe(tgid uint32) {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	p := s.byTGID[tgid]
	s.mu.Unlock()
	if p == nil || p.tried || p.program.entry == 0 || s.bare.Load() {
		return
	}
	p.tried = true
	probe, err := s.probes.AttachRoundTrip(tgid, fmt.Sprintf("/proc/%d/exe", tgid), p.program.entry)
	if err != nil {
		s.report(tgid, err)
		return
	}
	s.keep(tgid, p, probe)
}

// report logs what went wrong, but for processes that have ended.
func (s *programs) report(tgid uint32, err error) {
	if err != nil && !errors.Is(err, probes.ErrGone) && !errors.Is(err, unix.ESRCH) && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("goroutines of a process cannot be told apart", "pid", tgid, "error", err)
	}
}

// keep notes a probe, or removes it if its process is over already.
func (s *programs) keep(tgid uint32, p *process, probe io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.probe = probe
	if s.byTGID[tgid] != p {
		s.detach(p)
	}
}

// inspect returns what an executable is. looking is held.
func (s *programs) inspect(exe string) (*program, error) {
	f, err := os.Open(exe)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("stat %s: %w", exe, err)
	}
	key := file{dev: st.Dev, ino: st.Ino, mtime: st.Mtim.Nano(), size: st.Size}
	if p := s.byFile[key]; p != nil {
		return p, nil
	}
	p := &program{}
	name, err := os.Readlink(exe)
	if err != nil {
		return nil, err
	}
	if filepath.Base(name) == "nginx" {
		p.kind = link.NginxProgram
	}
	info, err := gobin.Inspect(f)
	if err == nil {
		p.kind = link.GoProgram
		p.layout, p.entry = layoutOf(info), info.RoundTrip
	} else if !errors.Is(err, gobin.ErrNotGo) {
		return nil, fmt.Errorf("inspect %s: %w", exe, err)
	}
	if len(s.byFile) >= maxFiles {
		clear(s.byFile)
	}
	s.byFile[key] = p
	return p, nil
}

func layoutOf(i gobin.Info) probes.GoLayout {
	l := probes.GoLayout{TLS: i.TLS, Goid: i.G.Goid, ParentGoid: i.G.ParentGoid}
	if i.RoundTrip != 0 {
		l.Conn, l.Sysfd, l.ItabHash, l.TCPConn, l.UnixConn = i.Conn.Conn, i.Conn.Sysfd, i.Conn.ItabHash, i.Conn.TCPConn, i.Conn.UnixConn
	}
	return l
}

// withoutProbes says that, because of err, no process gets a probe from now on.
func (s *programs) withoutProbes(err error) {
	s.log.Warn("no probes in Go programs: their outgoing calls are linked by less (before Linux 6.10 CAP_SYS_ADMIN may help)", "error", err)
	s.bare.Store(true)
}

// try puts the probe into this process, a Go program too, and removes it.
func (s *programs) try() error {
	const self = "/proc/self/exe"
	info, err := gobin.InspectFile(self)
	if err != nil || info.RoundTrip == 0 {
		return err
	}
	l, err := s.probes.AttachRoundTrip(uint32(os.Getpid()), self, info.RoundTrip)
	if err != nil {
		return err
	}
	return l.Close()
}

// forget takes the news that a process ended or runs another program.
func (s *programs) forget(tgid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byTGID[tgid]; p != nil {
		s.detach(p)
		delete(s.byTGID, tgid)
		if p.python.told {
			s.forgetTasks(tgid)
		}
	}
}

// detach hands a probe over for removal. mu is held.
func (s *programs) detach(p *process) {
	if p.probe == nil {
		return
	}
	select {
	case s.ended <- p.probe:
	default:
		s.remove(p.probe)
	}
	p.probe = nil
}

func (s *programs) remove(probe io.Closer) {
	if err := probe.Close(); err != nil {
		s.log.Debug("probe not removed", "error", err)
	}
}

// close removes all probes.
func (s *programs) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.byTGID {
		if p.probe != nil {
			s.remove(p.probe)
			p.probe = nil
		}
	}
	for len(s.ended) > 0 {
		s.remove(<-s.ended)
	}
}
