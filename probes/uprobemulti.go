// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// errMisses says that a probe of a process does not see all of its threads, as
// with Linux 6.6 to 6.9 (repaired by commit 46ba0e49b642).
var errMisses = errors.New("a probe of a process misses threads")

// tryUprobeMulti finds out whether this kernel puts probes into one process by a
// uprobe_multi link (Linux 6.6), which needs no capability, where perf_event_open(2)
// wants CAP_SYS_ADMIN: it probes a function of this program and calls it.
func tryUprobeMulti() error {
	counter, err := ebpf.NewMap(&ebpf.MapSpec{Name: "uprobe_trial", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return fmt.Errorf("make map: %w", err)
	}
	defer counter.Close()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "uprobe_trial", Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti, Instructions: addOne(asm.LoadMapPtr(asm.R1, counter.FD())), License: "Dual BSD/GPL",
	})
	if err != nil {
		return fmt.Errorf("load program: %w", err)
	}
	defer prog.Close()
	l, err := probeSelf(prog)
	if err != nil {
		return err
	}
	defer l.Close()
	const threads = 2 // at most one of them is the process's first
	for range threads {
		callInThread(probeMe)
	}
	var seen uint64
	if err := counter.Lookup(uint32(0), &seen); err != nil {
		return fmt.Errorf("read counter: %w", err)
	}
	if seen != threads {
		return errMisses
	}
	return nil
}

// probeSelf puts prog on probeMe in this process.
func probeSelf(prog *ebpf.Program) (link.Link, error) {
	at, err := fileOffset(reflect.ValueOf(probeMe).Pointer())
	if err != nil {
		return nil, err
	}
	x, err := link.OpenExecutable("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("open this program: %w", err)
	}
	l, err := x.UprobeMulti(nil, prog, &link.UprobeMultiOptions{Addresses: []uint64{at}, PID: uint32(os.Getpid())})
	if err != nil {
		return nil, fmt.Errorf("probe this program: %w", err)
	}
	return l, nil
}

// callInThread calls f in a thread that no other call was made in: it ends with
// the goroutine that is locked to it.
func callInThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

// probeMe is what tryUprobeMulti probes.
//
//go:noinline
func probeMe() {}

// fileOffset returns where in this program's file the code at pc lies.
func fileOffset(pc uintptr) (uint64, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, fmt.Errorf("read mappings: %w", err)
	}
	for line := range strings.Lines(string(maps)) { // proc_pid_maps(5)
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		offset, err3 := strconv.ParseUint(fields[2], 16, 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return 0, fmt.Errorf("parse mapping %q: %w", strings.TrimSpace(line), err)
		}
		if uint64(pc) >= start && uint64(pc) < end {
			return uint64(pc) - start + offset, nil
		}
	}
	return 0, fmt.Errorf("no mapping holds the code at %#x", pc)
}

// addOne ends a program of a trial: it adds one to the only value of the map that
// load puts into R1. Label "out" leaves that out.
func addOne(load asm.Instruction) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.RFP, -4, asm.R1, asm.Word),
		load,
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	}
}
