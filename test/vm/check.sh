#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh KERNEL: prints what "tracer-agent check" says on a stock kernel.
. "$(dirname "$(readlink -f "$0")")/env.sh"
[ $# = 1 ] || die "usage: check.sh KERNEL"
exec "$VM_DIR/guest.sh" "$1" "$VM_OUT/out/check-$(basename "$1")" "uname -r; exec ./tracer-agent check"
