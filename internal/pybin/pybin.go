// SPDX-License-Identifier: Apache-2.0

// Package pybin finds where a running CPython keeps what tells its asyncio tasks
// apart: the context of its main thread, and the dict of running tasks.
//
// It reads the process's memory, of which it believes nothing: reads are
// bounded, and what is found has to agree with itself. Releases that it does not
// know, and builds without the global interpreter lock, are left alone.
package pybin

import (
	"errors"
	"fmt"
	"os"
)

// ErrNotPython says that a process has loaded no CPython, or none that is known here.
var ErrNotPython = errors.New("no known CPython")

// errUnlike says that what is loaded is not as it should be. It may still start.
var errUnlike = errors.New("unlike a running CPython")

// ErrNoTasks says that a process has not imported asyncio so far.
var ErrNoTasks = errors.New("asyncio is not in use")

// Layout says where a process's interpreter keeps what tells its tasks apart.
// Addresses are the process's own.
type Layout struct {
	Minor      int    // of the version: 11 is Python 3.11
	Context    uint64 // address of the pointer to the main thread's current context
	Tasks      uint64 // address of the dict of running tasks, by event loop
	NumberType uint64 // address of the type int
	TaskName   uint16 // offset in a task; its context follows, and what it waits for stands two words before
	Text       uint16 // offset of an ASCII string's characters
	Closure    uint16 // offset in a function
	Wakeup     uint16 // offset of the task in what wakes it up
	OldKeys    bool   // dicts are as before Python 3.11
}

// Inspect reads where a process keeps its tasks. It returns ErrNotPython, or
// ErrNoTasks if another time may tell more, or why memory could not be read.
func Inspect(pid uint32) (Layout, error) {
	img, minor, err := find(pid)
	if err != nil {
		return Layout{}, err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return Layout{}, err
	}
	defer f.Close()
	tid, err := innerPID(pid)
	if err != nil {
		return Layout{}, err
	}
	in := &interpreter{memory: memory{r: f, left: maxRead}, version: versions[minor], tid: tid}
	l, err := in.layout(img)
	l.Minor = minor
	return l, err
}

// interpreter is the main interpreter of a process.
type interpreter struct {
	memory
	version
	tid     uint64 // of the main thread, as the process sees it
	runtime uint64 // address of _PyRuntime
}

// layout finds everything. The symbols are those of the image at base.
func (in *interpreter) layout(base uint64) (Layout, error) {
	s, err := in.symbols(base)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{TaskName: in.taskName, Text: in.text, Closure: in.closure, Wakeup: in.wakeup, OldKeys: in.oldKeys}
	if in.runtime, err = s.address("_PyRuntime"); err != nil {
		return l, err
	}
	if l.NumberType, err = s.address("PyLong_Type"); err != nil {
		return l, err
	}
	state := in.word(in.runtime + in.mainInterpreter)
	thread, err := in.mainThread(state)
	if err != nil {
		return l, err
	}
	l.Context = thread + in.context
	module := in.lookup(in.word(state+in.modules), "_asyncio")
	if module == 0 {
		return l, in.or(ErrNoTasks)
	}
	l.Tasks = in.lookup(in.word(module+moduleDict), "_current_tasks")
	if l.Tasks == 0 {
		return l, in.or(fmt.Errorf("%w: asyncio has no running tasks", errUnlike))
	}
	return l, in.err
}

// maxThreads bounds the threads of an interpreter that are looked through.
const maxThreads = 4096

// mainThread returns the state of the thread that was made first.
func (in *interpreter) mainThread(state uint64) (uint64, error) {
	thread := in.word(state + in.threads)
	for i := 0; thread != 0 && i < maxThreads; i++ {
		next := in.word(thread + threadNext)
		if next != 0 {
			thread = next
			continue
		}
		if in.nativeID != 0 && in.word(thread+in.nativeID) != in.tid {
			break // this Python runs in another thread than the first
		}
		return thread, in.err
	}
	return 0, in.or(fmt.Errorf("%w: the main thread is not among its threads", errUnlike))
}

// or returns why memory could not be read, else err.
func (in *interpreter) or(err error) error {
	if in.err != nil {
		return in.err
	}
	return err
}
