// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"fmt"
	"log/slog"

	"github.com/cilium/ebpf/btf"
)

// Feature is one thing that the kernel may be able to do, found out by doing it.
type Feature struct {
	Name      string
	NeededFor string
	Required  bool
	Err       error // nil: it works
	Detail    string
}

// Features tries what the agent needs on this kernel: every backend is loaded
// and attached with nothing selected, and detached again.
func Features(opts Options) []Feature {
	fs := []Feature{kernelTypes()}
	if fs[0].Err != nil {
		return fs
	}
	for _, b := range Backends() {
		opts.Backend = b
		f := Feature{Name: "backend " + string(b), NeededFor: neededFor(b)}
		p, err := Open(opts, slog.New(slog.DiscardHandler))
		if err != nil {
			f.Err = err
		} else {
			f.Detail = p.detail()
			p.Close() // the trial is over; nothing depends on how it ended
		}
		fs = append(fs, f)
	}
	return fs
}

func kernelTypes() Feature {
	f := Feature{Name: "kernel type information (BTF)", NeededFor: "every backend", Required: true}
	if _, err := btf.LoadKernelSpec(); err != nil {
		f.Err = fmt.Errorf("load kernel BTF (CONFIG_DEBUG_INFO_BTF): %w", err)
	}
	return f
}

func neededFor(b Backend) string {
	switch b {
	case Fentry:
		return "the default: least cost, io_uring seen"
	case SockTracepoint:
		return "kernels that refuse trampolines (6.3 and later)"
	}
	return "the last resort, works everywhere"
}

// detail says how an open backend works here.
func (p *Probes) detail() string {
	d := "connection state in an LRU map"
	if p.storage {
		d = "connection state in the socket"
	}
	if p.standIn != nil {
		d += "; programs have stand-ins, since this kernel preempts them"
	}
	for _, m := range p.missing {
		d += "; without " + m
	}
	return d
}
