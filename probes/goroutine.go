// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// SetGo tells the kernel where a watched process's Go runtime keeps its
// goroutines' ids. It returns ErrGone if the process has no entry. A verdict
// that the kernel changes at the same moment is told by its listen event and
// judged again (see Listen in package event).
func (p *Probes) SetGo(tgid uint32, l GoLayout) error {
	m := p.coll.Maps["verdict_by_tgid"]
	var v Verdict
	err := m.Lookup(tgid, &v)
	if err == nil {
		v.Go = l
		err = m.Update(tgid, v, ebpf.UpdateExist)
	}
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("set Go layout of process %d: %w", tgid, err)
	}
	return nil
}

// AttachRoundTrip puts the probe on net/http.(*persistConn).roundTrip into one
// process. exe is its program, entry the function's offset in that file. No
// other process that runs the same file is touched. Closing removes the probe;
// the end of the process does too.
func (p *Probes) AttachRoundTrip(pid uint32, exe string, entry uint64) (io.Closer, error) {
	x, err := link.OpenExecutable(exe)
	if err != nil {
		return nil, fmt.Errorf("open program of process %d: %w", pid, err)
	}
	prog := p.coll.Programs["go_round_trip"]
	var l link.Link
	if p.multi {
		l, err = x.UprobeMulti(nil, prog, &link.UprobeMultiOptions{Addresses: []uint64{entry}, PID: pid})
	} else {
		l, err = x.Uprobe("", prog, &link.UprobeOptions{Address: entry, PID: int(pid)})
	}
	if err != nil {
		return nil, fmt.Errorf("probe net/http's client in process %d: %w", pid, err)
	}
	return l, nil
}
