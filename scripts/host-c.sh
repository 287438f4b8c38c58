#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# host-c.sh DIR PROGRAM [FLAG...]: compiles bpf/host/PROGRAM.c with each backend's programs for this
# machine, under the address and undefined-behaviour sanitizers: DIR/PROGRAM-BACKEND.
# BACKENDS restricts the choice.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
out=$1 program=$2
shift 2
arch=x86
[ "$(uname -m)" = aarch64 ] && arch=arm64

n=0
for backend in fentry sock_tracepoint syscall_tracepoint; do
	n=$((n + 1))
	case " ${BACKENDS:-$backend} " in *" $backend "*) ;; *) continue ;; esac
	clang-19 -O0 -g1 -std=gnu11 -Wall -Wextra -Werror -Wno-unused-function -Wno-unused-parameter -Wno-unused-variable \
		-Wno-unknown-attributes -Wno-sign-compare -Wno-missing-field-initializers \
		-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
		"-D__TARGET_ARCH_$arch" "-DBACKEND=$n" "-DUNIT=\"../$backend.bpf.c\"" "$@" \
		-I"$root/bpf/host/shim" -I"$root/bpf/include" -o "$out/$program-$backend" "$root/bpf/host/$program.c"
done
