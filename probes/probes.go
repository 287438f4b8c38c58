// SPDX-License-Identifier: Apache-2.0

// Package probes loads the BPF programs, attaches them, and reads what they
// report. It and package bpf are the only ones that know cilium/ebpf.
package probes

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Options are the load-time settings of the BPF programs.
type Options struct {
	Backend       Backend // "" is Auto
	RequestHead   int     // bytes of a request head that may be copied, at most 16384
	ResponseHead  int     // bytes of a response head that may be copied, at most 16384
	RingBytes     int     // size of the data ring: a power of two, at least a page
	Processes     int     // room for verdicts
	Connections   int     // room for connections where the kernel cannot keep them in the socket
	Ports         int     // listening ports that rules name
	SelectCgroups bool    // cgroup v2 ids select too

	// Found out by Open:
	uprobeMulti bool // Go programs are probed by uprobe_multi links
	storage     bool // state may be kept in sockets
	standIns    bool // programs are loaded twice
}

// Probes are loaded and attached BPF programs. All methods but Detach and Close
// may be called from any goroutine.
type Probes struct {
	backend Backend
	coll    *ebpf.Collection
	standIn *ebpf.Collection // nil where the kernel skips no program
	links   []link.Link
	storage bool     // connection state is kept in the socket
	multi   bool     // the program for Go processes is for uprobe_multi links
	missing []string // features of optional programs that did not attach

	recalling atomic.Bool // the kernel was told of programs

	missed, missedEnds atomic.Uint64 // see Stats
}

// Open loads and attaches the first backend that works, or the one that
// opts.Backend forces. Nothing is selected yet. The error names, for each
// backend tried, the hook that failed.
func Open(opts Options, log *slog.Logger) (*Probes, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		log.Debug("memory lock limit not lifted", "error", err)
	}
	types := btf.NewCache() // shared by all attempts: reading the kernel's types is most of the start
	kernel, err := types.Kernel()
	if err != nil {
		return nil, fmt.Errorf("load kernel BTF (needs a kernel with CONFIG_DEBUG_INFO_BTF): %w", err)
	}
	if err := opts.findOut(types, kernel, log); err != nil {
		return nil, err
	}
	candidates := Backends()
	if opts.Backend != Auto && opts.Backend != "" {
		candidates = []Backend{opts.Backend}
	}
	var errs []error
	for _, b := range candidates {
		p, err := open(b, opts, types, kernel)
		if err == nil {
			for _, f := range p.missing {
				log.Warn("optional hook missing", "backend", b, "feature", f)
			}
			return p, nil
		}
		log.Debug("backend not usable", "backend", b, "error", err)
		errs = append(errs, fmt.Errorf("backend %s: %w", b, err))
	}
	return nil, fmt.Errorf("no usable backend on this kernel:\n%w", errors.Join(errs...))
}

// findOut tries what this kernel can do.
func (o *Options) findOut(types *btf.Cache, kernel *btf.Spec, log *slog.Logger) (err error) {
	if err := tryUprobeMulti(); err != nil {
		log.Debug("probes in Go programs by perf_event_open", "error", err)
	} else {
		o.uprobeMulti = true
	}
	if o.Backend.trustsSockets() {
		if err := tryStorage(types, kernel); err != nil {
			log.Debug("state of connections in a map", "error", err)
		} else {
			o.storage = true
		}
	}
	o.standIns, err = preemptible()
	return err
}

func open(b Backend, opts Options, types *btf.Cache, kernel *btf.Spec) (*Probes, error) {
	// Nobody promises that what one program may do with a socket another may.
	if opts.storage && b.trustsSockets() {
		if p, err := try(b, opts, types, kernel, true); err == nil {
			return p, nil
		}
	}
	return try(b, opts, types, kernel, false)
}

// try loads, attaches and proves a backend.
func try(b Backend, opts Options, types *btf.Cache, kernel *btf.Spec, storage bool) (*Probes, error) {
	p, err := load(b, opts, types, kernel, storage)
	if err != nil {
		return nil, err
	}
	if err := p.selfTest(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func load(b Backend, opts Options, types *btf.Cache, kernel *btf.Spec, storage bool) (*Probes, error) {
	spec, err := b.spec()
	if err != nil {
		return nil, err
	}
	programs, err := b.prune(spec, kernel)
	if err != nil {
		return nil, err
	}
	if err := configure(spec, opts, storage); err != nil {
		return nil, err
	}
	if spec.Maps["scratch_by_slot"].MaxEntries, err = slots(spec, programs); err != nil {
		return nil, err
	}
	if opts.uprobeMulti {
		spec.Programs["go_round_trip"].AttachType = ebpf.AttachTraceUprobeMulti
	}
	load := ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: kernel}, Cache: types}
	p := &Probes{backend: b, storage: storage, multi: opts.uprobeMulti}
	if p.coll, err = ebpf.NewCollectionWithOptions(spec, load); err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	if opts.standIns {
		if p.standIn, err = loadStandIns(spec, p.coll, load); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	for _, prog := range programs {
		if err := p.attach(prog, spec.Programs[prog.name].AttachType); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	if err := p.standInFromNow(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Probes) attach(prog program, at ebpf.AttachType) error {
	for _, coll := range p.inOrder(at) {
		l, err := link.AttachTracing(link.TracingOptions{Program: coll.Programs[prog.name]})
		switch {
		case err == nil:
			p.links = append(p.links, l) // a link without a reference is closed by its finalizer
		case prog.optional:
			p.missing = append(p.missing, prog.feature)
			return nil
		default:
			return fmt.Errorf("attach %s (%s): %w", prog.name, prog.feature, err)
		}
	}
	return nil
}

// collections are the programs, then their stand-ins, if there are any.
func (p *Probes) collections() []*ebpf.Collection {
	if p.standIn == nil {
		return []*ebpf.Collection{p.coll}
	}
	return []*ebpf.Collection{p.coll, p.standIn}
}

// configure sets knobs and sizes before loading. A map that the chosen mode
// does not use is shrunk to nothing.
func configure(spec *ebpf.CollectionSpec, o Options, storage bool) error {
	knobs := map[string]any{
		"request_head_bytes":  uint32(o.RequestHead),
		"response_head_bytes": uint32(o.ResponseHead),
		"use_cgroup":          o.SelectCgroups,
		"use_sk_storage":      storage,
	}
	if err := set(spec, knobs); err != nil {
		return err
	}
	if err := configureStandIns(spec, o.standIns); err != nil {
		return err
	}
	preallocate(spec)
	spec.Maps["data_ring"].MaxEntries = uint32(o.RingBytes)
	spec.Maps["verdict_by_tgid"].MaxEntries = uint32(max(o.Processes, 1))
	spec.Maps["rule_by_port"].MaxEntries = uint32(max(o.Ports, 1))
	spec.Maps["conn_by_addr"].MaxEntries = uint32(max(o.Connections, 1))
	if storage {
		spec.Maps["conn_by_addr"].MaxEntries = 1
	}
	return nil
}

// set sets load-time constants.
func set(spec *ebpf.CollectionSpec, knobs map[string]any) error {
	for name, v := range knobs {
		if err := spec.Variables[name].Set(v); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// Linux 6.1 gave hash maps an allocator that tracing programs may use anywhere
// (commit fba1a1c6c912); before, their use is warned of in the kernel's log.
const safeAllocator = 6<<16 | 1<<8

// preallocate has hash maps allocate all their entries at once where the kernel
// wants that of tracing programs.
func preallocate(spec *ebpf.CollectionSpec) {
	version, err := features.LinuxVersionCode()
	if err != nil || version >= safeAllocator {
		return
	}
	for _, m := range spec.Maps {
		if m.Type == ebpf.Hash {
			m.Flags &^= unix.BPF_F_NO_PREALLOC
		}
	}
}

// Backend returns the backend in use.
func (p *Probes) Backend() Backend { return p.backend }

// Missing lists the features that optional hooks would have given.
func (p *Probes) Missing() []string { return p.missing }

// Detach ends all capturing. Applications notice nothing; the rings and
// counters can still be read.
func (p *Probes) Detach() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	p.links = nil
	return errors.Join(errs...)
}

// Close detaches what is attached and frees the maps.
func (p *Probes) Close() error {
	err := p.Detach()
	for _, coll := range p.collections() {
		coll.Close()
	}
	return err
}
