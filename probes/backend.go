// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/tracer-agent/tracer-agent/bpf"
)

// Backend names a way to hook the sockets.
type Backend string

const (
	Auto              Backend = "auto"               // the first of Backends that loads and attaches
	Fentry            Backend = "fentry"             // fexit in the TCP and unix-stream layer
	SockTracepoint    Backend = "sock-tracepoint"    // sock:sock_send_length, sock:sock_recv_length
	SyscallTracepoint Backend = "syscall-tracepoint" // raw_syscalls:sys_exit
)

// Backends lists what Auto tries, best first.
func Backends() []Backend { return []Backend{Fentry, SockTracepoint, SyscallTracepoint} }

// ParseBackend returns the Backend called s; "" is Auto.
func ParseBackend(s string) (Backend, error) {
	if s == "" || s == string(Auto) {
		return Auto, nil
	}
	if b := Backend(s); slices.Contains(Backends(), b) {
		return b, nil
	}
	return "", fmt.Errorf("unknown backend %q: want auto, %s, %s or %s", s, Fentry, SockTracepoint, SyscallTracepoint)
}

// program is one BPF program of a backend.
type program struct {
	name     string
	feature  string // what a user misses without it
	optional bool
	slot     string               // enum scratch_slot: what it works on a call with; "": nothing
	usable   func(*btf.Spec) bool // nil: always
}

// lifecycle programs are part of every backend. Attached first: processes that
// fork while the rest is being set up are not missed.
func lifecycle() []program {
	return []program{
		{name: "process_fork", feature: "children of selected processes"},
		{name: "process_exec", feature: "new programs"},
		{name: "process_exit", feature: "process ends"},
		{name: "sock_state", feature: "connection ends, listening sockets"},
		{name: "sock_destroy", feature: "ends of connections that were reset or half closed"},
	}
}

func (b Backend) programs() []program {
	switch b {
	case Fentry:
		return append(lifecycle(),
			program{name: "tcp_send", feature: "TCP, sent bytes", slot: "SLOT_SEND"},
			program{name: "tcp_recv_4", feature: "TCP, received bytes", slot: "SLOT_RECV", usable: hasParams("tcp_recvmsg", 4)},
			program{name: "tcp_recv_5", feature: "TCP, received bytes", slot: "SLOT_RECV", usable: hasParams("tcp_recvmsg", 5)},
			program{name: "tcp_recv_6", feature: "TCP, received bytes", slot: "SLOT_RECV", usable: hasParams("tcp_recvmsg", 6)},
			program{name: "unix_send", feature: "unix stream sockets, sent bytes", optional: true, slot: "SLOT_UNIX_SEND", usable: hasParams("unix_stream_sendmsg", 3)},
			program{name: "unix_recv", feature: "unix stream sockets, received bytes", optional: true, slot: "SLOT_UNIX_RECV", usable: hasParams("unix_stream_recvmsg", 4)},
			program{name: "tcp_splice", feature: "bytes received by splice", optional: true, slot: "SLOT_SPLICE", usable: hasParams("tcp_splice_read", 5)},
			program{name: "tcp_page", feature: "bytes sent by sendfile before Linux 6.5", optional: true, slot: "SLOT_PAGE", usable: hasParams("tcp_sendpage", 5)},
			program{name: "unix_page", feature: "bytes sent by sendfile on unix sockets before Linux 6.5", optional: true, slot: "SLOT_UNIX_PAGE", usable: hasParams("unix_stream_sendpage", 5)},
		)
	case SockTracepoint:
		return append(lifecycle(),
			program{name: "sock_send", feature: "sent bytes", slot: "SLOT_SEND"},
			program{name: "sock_recv", feature: "received bytes", slot: "SLOT_RECV"})
	default:
		return append(lifecycle(), program{name: "syscall_exit", feature: "bytes moved by system calls", slot: "SLOT_SEND"})
	}
}

// trustsSockets says that the backend's programs, or those of some that Auto
// tries, get sockets that the verifier accepts for socket-local storage.
func (b Backend) trustsSockets() bool { return b != SyscallTracepoint }

func (b Backend) spec() (*ebpf.CollectionSpec, error) {
	switch b {
	case Fentry:
		return bpf.LoadFentry()
	case SockTracepoint:
		return bpf.LoadSockTracepoint()
	case SyscallTracepoint:
		return bpf.LoadSyscallTracepoint()
	}
	return nil, fmt.Errorf("no such backend: %q", string(b))
}

// hasParams tests whether the running kernel has a function with n parameters.
func hasParams(fn string, n int) func(*btf.Spec) bool {
	return func(kernel *btf.Spec) bool {
		var f *btf.Func
		if err := kernel.TypeByName(fn, &f); err != nil {
			return false
		}
		proto, ok := f.Type.(*btf.FuncProto)
		return ok && len(proto.Params) == n
	}
}

// prune removes from spec the programs that this kernel has no place for, and
// returns those that remain.
func (b Backend) prune(spec *ebpf.CollectionSpec, kernel *btf.Spec) ([]program, error) {
	var kept []program
	for _, p := range b.programs() {
		if p.usable == nil || p.usable(kernel) {
			kept = append(kept, p)
			continue
		}
		delete(spec.Programs, p.name)
	}
	receives := func(p program) bool { return strings.HasPrefix(p.name, "tcp_recv_") }
	if b == Fentry && !slices.ContainsFunc(kept, receives) {
		return nil, errors.New("tcp_recvmsg has a signature that no program is made for")
	}
	return kept, nil
}

// slots returns how many entries of the map by scratch_slot the programs use:
// they are large, and there is one for each processor.
func slots(spec *ebpf.CollectionSpec, programs []program) (uint32, error) {
	var e *btf.Enum
	if err := spec.Types.TypeByName("scratch_slot", &e); err != nil {
		return 0, fmt.Errorf("find slots: %w", err)
	}
	var n uint32
	for _, v := range e.Values {
		if slices.ContainsFunc(programs, func(p program) bool { return p.slot == v.Name }) {
			n = max(n, uint32(v.Value)+1)
		}
	}
	return n, nil
}
