#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# vm.sh KERNEL [BACKEND]: the harm test on a stock kernel in a virtual machine,
# with every backend that the kernel loads, or one. HARM_TIME is how long each
# is tested (default 20s). Time is the guest's, which counts instructions: it does
# not starve beside whatever else this machine does.
set -eu
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
[ $# -ge 1 ] || { echo "usage: vm.sh KERNEL [BACKEND]" >&2; exit 2; }
kernel=$1 backend=${2:-}
cd "$here/../.."
. test/vm/env.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOARCH=$(arch_of "$kernel") CGO_ENABLED=0 go test -c -tags integration -o "$work/harm.test" ./test/harm
cp -r test/harm/testdata "$work/"
# khugepaged, at the lowest priority, starves in a busy guest while RCU waits for it.
VM_APPEND="${VM_APPEND:-} transparent_hugepage=never" VM_TIMEOUT=${VM_TIMEOUT:-1800} VM_SMP=${VM_SMP:-1} \
	VM_ACCEL=${VM_ACCEL:-tcg,thread=single -icount shift=0,sleep=on} test/vm/guest.sh "$kernel" ".cache/vm/out/harm-$(basename "$kernel")-${backend:-all}" \
	"HARM_ALONE=1 HARM_TIME=${HARM_TIME:-20s} HARM_PERIOD=${HARM_PERIOD:-3s} HARM_PACE=${HARM_PACE:-200ms} TRACER_AGENT=./tracer-agent exec ./harm.test -test.v -test.run 'TestHarm/$backend'" \
	"$work/harm.test" "$work/testdata"
