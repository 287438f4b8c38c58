#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# vm.sh KERNEL [BACKEND [ARGUMENT...]]: the faults on a stock kernel in a virtual
# machine, with fewer processes and connections and more time than on a machine
# that is not emulated.
# Prints the table.
set -eu
[ $# -ge 1 ] || { echo "usage: vm.sh KERNEL [BACKEND [ARGUMENT...]]" >&2; exit 2; }
cd "$(dirname "$(readlink -f "$0")")/../.."
kernel=$1 backend=${2:-}
shift
[ $# = 0 ] || shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/chaos" ./test/chaos
VM_TIMEOUT=${VM_TIMEOUT:-1800} VM_MEM=${VM_MEM:-3G} test/vm/guest.sh "$kernel" ".cache/vm/out/chaos-$(basename "$kernel")-${backend:-all}" \
	"exec ./chaos -agent ./tracer-agent -dir /out/logs -backends '$backend' -fault 25s -outage 40s -percent 60 -processes 300 -churn 30s -connections 2000 $*" "$work/chaos"
