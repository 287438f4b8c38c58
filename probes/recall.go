// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// SetProgram has every process that executes a program begin with v, until
// SetProcess, DeleteProcess or Unrecall settles what it is. program is what an exec event
// named it. The programs that were not executed for longest make room.
func (p *Probes) SetProgram(program uint64, v Verdict) error {
	if err := p.coll.Maps["verdict_by_program"].Put(program, v); err != nil {
		return fmt.Errorf("set verdict of program %#x: %w", program, err)
	}
	return p.recall(true)
}

// ClearPrograms has processes begin unknown again.
func (p *Probes) ClearPrograms() error {
	if err := p.recall(false); err != nil {
		return err
	}
	return errors.Join(empty[uint64](p.coll.Maps["verdict_by_program"]), empty[uint32](p.coll.Maps["recalled_by_tgid"]))
}

// Recalled lists the processes that still have the verdict they began with, and
// at most some that have ended meanwhile.
func (p *Probes) Recalled() []uint32 {
	tgids, _ := keys[uint32](p.coll.Maps["recalled_by_tgid"]) // what is missed is found the next time
	return tgids
}

// recall tells the kernel whether to look at programs at all: it costs each
// call of an unselected process a lookup.
func (p *Probes) recall(on bool) error {
	if p.recalling.Load() == on {
		return nil
	}
	var value uint32
	if on {
		value = 1
	}
	if err := p.coll.Variables["recalling"].Set(value); err != nil {
		return fmt.Errorf("switch known programs: %w", err)
	}
	p.recalling.Store(on)
	return nil
}

// Unrecall removes the verdict that a process began with. It is no error if there was none.
func (p *Probes) Unrecall(tgid uint32) error {
	err := p.coll.Maps["recalled_by_tgid"].Delete(tgid)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("settle verdict of process %d: %w", tgid, err)
	}
	return nil
}

func empty[K comparable](m *ebpf.Map) error {
	found, err := keys[K](m)
	for _, key := range found {
		if e := m.Delete(key); e != nil && !errors.Is(e, ebpf.ErrKeyNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// keys lists a map that may change meanwhile.
func keys[K comparable](m *ebpf.Map) ([]K, error) {
	var found []K
	var key K
	var value Verdict
	it := m.Iterate()
	for it.Next(&key, &value) {
		found = append(found, key)
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return found, fmt.Errorf("list %s: %w", m, err)
	}
	return found, nil
}
