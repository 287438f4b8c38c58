// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// PythonLayout says where a process's CPython keeps what tells its asyncio tasks
// apart (struct python_layout).
type PythonLayout struct {
	Context    uint64 // address of the main thread's current context
	Tasks      uint64 // address of the dict of running tasks
	NumberType uint64 // address of the type of numbers
	TaskName   uint16 // in a task; its context follows, and what it waits for stands two words before
	Text       uint16 // the characters of an ASCII string
	Closure    uint16 // in a function
	Wakeup     uint16 // in what wakes a task up: the task
	OldKeys    uint16 // 1: dicts are as before Python 3.11
	Pad        [3]uint16
}

// SetPython tells the kernel how to tell a watched process's asyncio tasks
// apart, until ForgetPython. It returns ErrGone as SetGo does.
func (p *Probes) SetPython(tgid uint32, l PythonLayout) error {
	if err := p.coll.Maps["python_by_tgid"].Put(tgid, l); err != nil {
		return fmt.Errorf("set Python layout of process %d: %w", tgid, err)
	}
	return p.SetGo(tgid, GoLayout{Python: 1})
}

// ForgetPython takes back what SetPython said. It is no error if it was not called.
func (p *Probes) ForgetPython(tgid uint32) error {
	err := p.coll.Maps["python_by_tgid"].Delete(tgid)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget Python layout of process %d: %w", tgid, err)
	}
	return nil
}
