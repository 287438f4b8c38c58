// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// errNoStorage says that the kernel took a program that uses socket-local
// storage, and then gave it none.
var errNoStorage = errors.New("sockets get no storage")

// tryStorage finds out whether a tracing program may keep state in a socket: not
// before Linux 5.11 (commit 8e4597c627fb), and not on 7.x where the processor has
// no cmpxchg16b (kmalloc_nolock, mm/slub.c), which shows when it is asked for. A
// program of a few instructions asks, about a connection of this process.
func tryStorage(types *btf.Cache, kernel *btf.Spec) error {
	loopback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen on loopback: %w", err)
	}
	defer loopback.Close()
	coll, err := ebpf.NewCollectionWithOptions(storageTrial(uint32(os.Getpid())),
		ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: kernel}, Cache: types})
	if err != nil {
		return fmt.Errorf("load program: %w", err)
	}
	defer coll.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: coll.Programs["ask"]})
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	defer l.Close()
	if err := talkToSelf(loopback); err != nil {
		return err
	}
	var given uint64
	if err := coll.Maps["given"].Lookup(uint32(0), &given); err != nil {
		return fmt.Errorf("read counter: %w", err)
	}
	if given == 0 {
		return errNoStorage
	}
	return nil
}

// storageTrial is a program that asks for storage in each socket of process self
// that changes its state, and counts how often it gets it.
func storageTrial(self uint32) *ebpf.CollectionSpec {
	integer := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			"of_sock": {Name: "of_sock", Type: ebpf.SkStorage, KeySize: 4, ValueSize: 4, Flags: unix.BPF_F_NO_PREALLOC, Key: integer, Value: integer},
			"given":   {Name: "given", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1},
		},
		Programs: map[string]*ebpf.ProgramSpec{"ask": {
			Name: "storage_trial", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "inet_sock_set_state", License: "Dual BSD/GPL",
			Instructions: append(asm.Instructions{
				asm.Mov.Reg(asm.R6, asm.R1),
				asm.FnGetCurrentPidTgid.Call(),
				asm.RSh.Imm(asm.R0, 32),
				asm.JNE.Imm(asm.R0, int32(self), "out"),
				asm.LoadMapPtr(asm.R1, 0).WithReference("of_sock"),
				asm.LoadMem(asm.R2, asm.R6, 0, asm.DWord), // the socket
				asm.Mov.Imm(asm.R3, 0),
				asm.Mov.Imm(asm.R4, 1), // BPF_SK_STORAGE_GET_F_CREATE
				asm.FnSkStorageGet.Call(),
				asm.JEq.Imm(asm.R0, 0, "out"),
			}, addOne(asm.LoadMapPtr(asm.R1, 0).WithReference("given"))...),
		}},
	}
}
