// SPDX-License-Identifier: Apache-2.0

package discovery

import "errors"

// State is what the kernel knows of a process. The values are the kernel's.
type State uint32

// States in rising order; see the package documentation.
const (
	StateUnknown   State = 0 // no effect, as if there were no entry
	StateCandidate State = 1 // selected as soon as it listens on a port of its Include mask
	StateSelected  State = 2
	StateExcluded  State = 3
)

// String returns the state in lower case.
func (s State) String() string {
	names := [...]string{"unknown", "candidate", "selected", "excluded"}
	if int(s) < len(names) {
		return names[s]
	}
	return "invalid"
}

// Verdict is a process's entry in the kernel. Include and Exclude have a bit
// for each rule with ports (numbered separately, in the order of the rules)
// all of whose other criteria the process satisfies.
type Verdict struct {
	State            State
	Include, Exclude uint64
}

// allRules is a mask of every rule. A verdict of Excluded for good has it or,
// if the kernel excluded a listening process, the bits of the masks it had.
const allRules = ^uint64(0)

// provisional tells whether the kernel excluded a process only until it is judged.
func (a Verdict) provisional() bool { return a.State == StateExcluded && a.Exclude == 0 }

// join returns the least verdict that is at least a and b.
func (a Verdict) join(b Verdict) Verdict {
	return Verdict{
		State:   max(a.State, b.State),
		Include: a.Include | b.Include,
		Exclude: a.Exclude | b.Exclude,
	}
}

// ErrGone is returned by SetProcess when the entry does not exist any more:
// the process has executed another program or exited.
var ErrGone = errors.New("process entry is gone")

// Kernel is the selection state in the kernel. Discovery calls it from the
// event goroutine and from Rescan, never at the same time.
//
// What the kernel does by itself:
//   - fork: the child of a process with an entry gets a copy of it; event iff copied.
//   - exec: the entry is removed; event for every exec. The verdict of a program that
//     SetProgram named is recalled: in force while the entry is absent or Unknown,
//     until SetProcess, DeleteProcess or Unrecall settles it, or the next exec or exit.
//   - exit: the entry is removed; event iff there was one.
//   - listen on a port that SetPort named; always an event. Entry Candidate or
//     Selected and Exclude&exclude != 0: Excluded. Else Candidate and
//     Include&include != 0: Selected. No entry or Unknown: if exclude != 0
//     Excluded with empty masks (provisional: fail closed until the event was
//     judged), else if auto Selected with Include 0 and all bits of Exclude.
//   - a task whose entry is absent, Unknown or Candidate is traced iff its cgroup is selected.
type Kernel interface {
	// WatchProcess creates an entry with StateUnknown unless one exists
	// (BPF_NOEXIST) and returns the entry. It fails when the map is full.
	WatchProcess(tgid uint32) (Verdict, error)
	// SetProcess replaces the existing entry (BPF_EXIST), or returns ErrGone.
	SetProcess(tgid uint32, v Verdict) error
	// DeleteProcess removes the entry and what was recalled; a missing one is no error.
	DeleteProcess(tgid uint32) error
	// SetProgram has the kernel recall v whenever a process executes the program.
	SetProgram(program uint64, v Verdict) error
	// ClearPrograms has it recall nothing any more.
	ClearPrograms() error
	// Unrecall settles a process without an entry; one that recalls nothing is no error.
	Unrecall(tgid uint32) error
	// Recalled lists the processes whose recalled verdict is not settled.
	Recalled() []uint32
	// SetCgroup selects or unselects a cgroup v2 directory by its id (inode
	// number), not its descendants.
	SetCgroup(id uint64, selected bool) error
	// SetPort names a port: the include and exclude rules that list it, and
	// whether an unjudged process that listens on it is selected at once.
	SetPort(port uint16, include, exclude uint64, auto bool) error
	// UnsetPort takes a name back; one that there was not is no error.
	UnsetPort(port uint16) error
}
