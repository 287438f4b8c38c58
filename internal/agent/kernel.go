// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"

	"github.com/tracer-agent/tracer-agent/internal/discovery"
	"github.com/tracer-agent/tracer-agent/probes"
)

// kernel lets discovery drive the selection maps.
type kernel struct {
	p        *probes.Probes
	programs *programs
}

func (k kernel) WatchProcess(tgid uint32) (discovery.Verdict, error) {
	v, err := k.p.WatchProcess(tgid)
	return discovery.Verdict{State: discovery.State(v.State), Include: v.Include, Exclude: v.Exclude}, err
}

func (k kernel) SetProcess(tgid uint32, v discovery.Verdict) error {
	layout := k.programs.layout(tgid)
	err := k.p.SetProcess(tgid, probes.Verdict{
		State: probes.State(v.State), Include: v.Include, Exclude: v.Exclude, Go: layout,
	})
	if now := k.programs.layout(tgid); err == nil && now != layout { // it became known in between
		err = k.p.SetGo(tgid, now)
	}
	if errors.Is(err, probes.ErrGone) {
		return discovery.ErrGone
	}
	if err == nil && v.State == discovery.StateSelected {
		k.programs.selected(tgid)
	}
	return err
}

func (k kernel) DeleteProcess(tgid uint32) error { return k.p.DeleteProcess(tgid) }

func (k kernel) SetProgram(program uint64, v discovery.Verdict) error {
	return k.p.SetProgram(program, probes.Verdict{State: probes.State(v.State), Include: v.Include})
}

func (k kernel) ClearPrograms() error { return k.p.ClearPrograms() }

func (k kernel) Unrecall(tgid uint32) error { return k.p.Unrecall(tgid) }

func (k kernel) Recalled() []uint32 { return k.p.Recalled() }

func (k kernel) SetCgroup(id uint64, selected bool) error { return k.p.SetCgroup(id, selected) }

func (k kernel) SetPort(port uint16, include, exclude uint64, auto bool) error {
	r := probes.PortRule{Include: include, Exclude: exclude}
	if auto {
		r.Automatic = 1
	}
	return k.p.SetPort(port, r)
}

func (k kernel) UnsetPort(port uint16) error { return k.p.UnsetPort(port) }
