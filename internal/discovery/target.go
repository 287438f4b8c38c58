// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/resource"
)

// Target is what is known of a selected program instance. It is immutable, but
// for being revoked, and
// shared by the process that executed the program and the children it forked:
// the resource's pid is of the process that was first seen with the program.
type Target struct {
	Rule      string             // name of the include rule, may be empty
	RuleIndex int                // index of the include rule among those then in force; -1: inherited from a process that is not known any more
	Service   string             // service.name of Resource, never empty
	Resource  *resource.Resource // one pointer for all spans of the instance
	Routes    []string           // the rule's; read-only

	pod     string       // UID, "" if in none
	revoked *atomic.Bool // shared by the targets that follow each other for a program instance
}

// Revoked tells whether the rules, or what they are about, changed so that the
// program is not to be traced any more: its spans that have not been sent are
// not to be sent. A program that ended is not revoked. Safe for concurrent use.
func (t *Target) Revoked() bool { return t.revoked != nil && t.revoked.Load() }

// RevokedFlag is what Revoked loads, for those who ask often.
func (t *Target) RevokedFlag() *atomic.Bool { return t.revoked }

// exited keeps the targets of the processes that exited last, for the spans
// that come after them.
type exited struct {
	targets map[uint32]exitedTarget
	order   []exitedKey // ring, next is the oldest
	next    int
	seq     uint64
}

type exitedTarget struct {
	target *Target
	seq    uint64
}

// exitedKey names one exit; the sequence tells a later exit of the same id apart.
type exitedKey struct {
	tgid uint32
	seq  uint64
}

func newExited(capacity int) *exited {
	return &exited{targets: make(map[uint32]exitedTarget), order: make([]exitedKey, capacity)}
}

func (e *exited) add(tgid uint32, target *Target) {
	if target == nil || len(e.order) == 0 {
		return
	}
	oldest := e.order[e.next]
	if kept, ok := e.targets[oldest.tgid]; ok && kept.seq == oldest.seq {
		delete(e.targets, oldest.tgid)
	}
	e.seq++
	e.targets[tgid] = exitedTarget{target: target, seq: e.seq}
	e.order[e.next] = exitedKey{tgid: tgid, seq: e.seq}
	e.next = (e.next + 1) % len(e.order)
}

func (e *exited) get(tgid uint32) *Target {
	if t := e.targets[tgid].target; t != nil && !t.Revoked() {
		return t
	}
	return nil
}
