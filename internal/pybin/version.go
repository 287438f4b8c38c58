// SPDX-License-Identifier: Apache-2.0

package pybin

// version holds where the fields of one release's structures lie, in bytes.
type version struct {
	mainInterpreter uint64 // pointer in _PyRuntime
	threads         uint64 // in an interpreter: its threads, the newest first
	modules         uint64 // in an interpreter: sys.modules
	nativeID        uint64 // in a thread; 0: it has none
	context         uint64 // in a thread
	text            uint16 // in an ASCII string
	closure         uint16 // in a function
	wakeup          uint16 // in what wakes a task up, a built-in method since 3.10: the task
	taskName        uint16 // in a task; its context follows, and what it waits for stands two words before
	oldKeys         bool
}

// versions are by the minor number of Python 3, read from the headers of each
// release (Include/internal, with Py_BUILD_CORE) and, for tasks, from a live one.
var versions = map[int]version{
	9:  {mainInterpreter: 40, threads: 8, modules: 856, context: 240, text: 48, closure: 48, wakeup: 16, taskName: 160, oldKeys: true},
	10: {mainInterpreter: 40, threads: 8, modules: 856, context: 240, text: 48, closure: 72, wakeup: 24, taskName: 168, oldKeys: true},
	11: {mainInterpreter: 48, threads: 16, modules: 888, nativeID: 160, context: 224, text: 48, closure: 72, wakeup: 24, taskName: 144},
	12: {mainInterpreter: 48, threads: 72, modules: 944, nativeID: 144, context: 208, text: 40, closure: 72, wakeup: 24, taskName: 144},
	13: {mainInterpreter: 640, threads: 7344, modules: 7656, nativeID: 160, context: 208, text: 40, closure: 72, wakeup: 24, taskName: 128},
}

// The same in all of them.
const (
	threadNext = 8  // in a thread: an older one
	moduleDict = 16 // in a module
	dictKeys   = 32 // in a dict
	textLength = 16 // in a string
)
