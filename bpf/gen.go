// SPDX-License-Identifier: Apache-2.0

// Package bpf holds the compiled BPF programs and the Go bindings that bpf2go
// generates for them. The C sources are in this directory: one *.bpf.c per
// backend, the core that they share under include/. Objects are committed and
// must equal what the pinned compiler makes of the sources (make generate).
package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -output-stem fentry Fentry fentry.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -Iinclude
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -output-stem sock_tracepoint SockTracepoint sock_tracepoint.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -Iinclude
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -output-stem syscall_tracepoint SyscallTracepoint syscall_tracepoint.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror -Iinclude
