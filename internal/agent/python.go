// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/internal/pybin"
	"github.com/tracer-agent/tracer-agent/probes"
)

// python is what is known of a process as one that may run asyncio. It changes
// under programs.mu.
type python struct {
	told  bool // the kernel knows where its tasks are
	tries int
	next  time.Time // not before is it looked at again
}

const (
	// asyncioTries is how often a process is looked at that runs Python, but not
	// asyncio so far, asyncioPause how long it is left alone in between.
	asyncioTries = 8
	asyncioPause = time.Second
	// notPython is how many processes have to run no Python until that is taken
	// to be so of their program. One may have been looked at while it started.
	notPython = 3
)

// open says that a process is worth a look. mu is held.
func (p *process) open(now time.Time) bool {
	return p.program.kind == link.OtherProgram && p.program.noPython < notPython && !p.python.told && p.python.tries < asyncioTries && !now.Before(p.python.next)
}

// lookForTasks tells the kernel where a process keeps its asyncio tasks, if it has any.
func (s *programs) lookForTasks(tgid uint32) {
	s.mu.Lock()
	p := s.byTGID[tgid]
	worth := p != nil && p.open(time.Now())
	s.mu.Unlock()
	if !worth {
		return
	}
	l, err := pybin.Inspect(tgid)
	s.mu.Lock()
	p.python.tries++
	p.python.next = time.Now().Add(asyncioPause)
	p.python.told = err == nil // before the kernel is: a verdict that is set meanwhile says so, too
	if errors.Is(err, pybin.ErrNotPython) {
		p.program.noPython++
		p.python.tries = asyncioTries
	}
	s.mu.Unlock()
	if err == nil {
		err = s.tellOfTasks(tgid, l)
	}
	if err != nil {
		s.log.Debug("asyncio tasks of a process cannot be told apart", "pid", tgid, "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byTGID[tgid] != p { // it ended in between
		s.forgetTasks(tgid)
	}
}

func (s *programs) tellOfTasks(tgid uint32, l pybin.Layout) error {
	if err := s.watch(tgid); err != nil {
		return err
	}
	kl := probes.PythonLayout{
		Context: l.Context, Tasks: l.Tasks, NumberType: l.NumberType,
		TaskName: l.TaskName, Text: l.Text, Closure: l.Closure, Wakeup: l.Wakeup,
	}
	if l.OldKeys {
		kl.OldKeys = 1
	}
	return s.probes.SetPython(tgid, kl)
}

func (s *programs) forgetTasks(tgid uint32) {
	if err := s.probes.ForgetPython(tgid); err != nil {
		s.log.Warn("process not forgotten", "pid", tgid, "error", err)
	}
}
