// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// State is what the kernel holds of a process (enum verdict_state).
type State uint32

const (
	Unknown   State = 0 // nobody has judged it: not traced
	Candidate State = 1 // traced as soon as it listens on a port of one of its rules
	Selected  State = 2
	Excluded  State = 3
)

// Verdict is the kernel's entry for a process (struct verdict). Include and
// Exclude are bit sets of rules with ports whose other criteria it satisfies.
type Verdict struct {
	State            State
	Pad              uint32
	Include, Exclude uint64
	Go               GoLayout
}

// GoLayout says where a Go program keeps what tells its goroutines apart
// (struct go_layout). Goid 0: no Go program, or not known.
type GoLayout struct {
	TLS        int32  // amd64: g, from the thread's fs base
	Goid       uint16 // in runtime.g
	ParentGoid uint16 // in runtime.g, 0 before Go 1.21
	Conn       uint16 // the connection, an interface, in net/http.persistConn; 0: not looked at
	Sysfd      uint16 // in net.netFD
	ItabHash   uint16 // a type's hash in its interface table
	Python     uint16 // instead: 1 if SetPython was told of the process
	TCPConn    uint32 // the hash of *net.TCPConn
	UnixConn   uint32 // the hash of *net.UnixConn
}

// PortRule is the kernel's entry for a listening port (struct port_rule).
type PortRule struct {
	Include, Exclude uint64 // rules naming the port
	Automatic        uint32 // 1: selects a process that nobody has judged yet
	Pad              uint32
}

// ErrGone says that a process has no entry any more: it ended, or runs another program.
var ErrGone = errors.New("process has no entry")

// WatchProcess makes an entry without effect, unless there is one, and returns
// the one in force. An exec or exit removes it, which SetProcess then notices.
func (p *Probes) WatchProcess(tgid uint32) (Verdict, error) {
	m := p.coll.Maps["verdict_by_tgid"]
	err := m.Update(tgid, Verdict{}, ebpf.UpdateNoExist)
	if err == nil {
		return Verdict{}, nil
	}
	var v Verdict
	if errors.Is(err, ebpf.ErrKeyExist) {
		err = m.Lookup(tgid, &v)
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) { // it may be gone again
		return Verdict{}, fmt.Errorf("watch process %d: %w", tgid, err)
	}
	return v, nil
}

// SetProcess puts v in force for a watched process at once, or returns ErrGone.
func (p *Probes) SetProcess(tgid uint32, v Verdict) error {
	err := p.coll.Maps["verdict_by_tgid"].Update(tgid, v, ebpf.UpdateExist)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("set verdict of process %d: %w", tgid, err)
	}
	return p.Unrecall(tgid)
}

// DeleteProcess makes the process unknown. It is no error if it was.
func (p *Probes) DeleteProcess(tgid uint32) error {
	err := p.coll.Maps["verdict_by_tgid"].Delete(tgid)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("delete verdict of process %d: %w", tgid, err)
	}
	return p.Unrecall(tgid)
}

// SetCgroup selects or deselects the tasks of a cgroup v2 by its id.
func (p *Probes) SetCgroup(id uint64, selected bool) error {
	m := p.coll.Maps["selected_cgroup"]
	if selected {
		if err := m.Put(id, uint32(1)); err != nil {
			return fmt.Errorf("select cgroup %d: %w", id, err)
		}
		return nil
	}
	if err := m.Delete(id); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("deselect cgroup %d: %w", id, err)
	}
	return nil
}

// SetPort tells the kernel which rules name a listening port.
func (p *Probes) SetPort(port uint16, r PortRule) error {
	if err := p.coll.Maps["rule_by_port"].Put(port, r); err != nil {
		return fmt.Errorf("set rules of port %d: %w", port, err)
	}
	return nil
}

// UnsetPort makes a listening port one that no rule names. It is no error if it was.
func (p *Probes) UnsetPort(port uint16) error {
	err := p.coll.Maps["rule_by_port"].Delete(port)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("take back rules of port %d: %w", port, err)
	}
	return nil
}
