#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# one.sh KERNEL SET: runs guest.sh SET on one kernel, with what job.sh has built in
# .cache/vm/job-ARCH, and leaves .cache/vm/matrix/KERNEL.txt, be it of a guest that
# died: main.go judges.
. "$(dirname "$(readlink -f "$0")")/../env.sh"
[ $# = 2 ] || die "usage: one.sh KERNEL SET"
kernel=$1 set=$2
guest_minutes=15 # at most, beside others on two processors
if [ "$(date +%s)" -gt $((${VM_DEADLINE:-9999999999} - guest_minutes * 60)) ]; then
	echo "== SKIPPED $kernel: it may take $guest_minutes minutes, which are not left"
	exit
fi
out=$VM_OUT/out/matrix-$kernel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp -rl "$VM_OUT/job-$(arch_of "$kernel")/." "$work/"
echo "exec sh guest.sh $set" >"$work/cmd"

# A clock that counts instructions while the guest computes: its timeouts mean the
# same however busy this machine is. While it waits the clock is this machine's: it
# waits for disks that are files here. With two processors on this clock guests of
# 5.10 and 6.1 were seen that did not get through their boot.
#
# khugepaged, at the lowest priority, starves in a busy guest while RCU waits for it. What
# protects a kernel from its neighbours and its users costs a third of the time here.
[ "$(arch_of "$kernel")" = arm64 ] || export VM_CPU=max,-cx16,la57=off,-smap,-smep,-umip,-pku
status=0
VM_APPEND="transparent_hugepage=never mitigations=off init_on_alloc=0 randomize_kstack_offset=off ${VM_APPEND:-}" \
	VM_ACCEL=${VM_ACCEL:-tcg,thread=single -icount shift=0,sleep=on} VM_SMP=${VM_SMP:-1} VM_TIMEOUT=${VM_TIMEOUT:-3600} \
	"$VM_DIR/run.sh" "$kernel" "$work" "$out" || status=$?
mkdir -p "$VM_OUT/matrix"
{
	echo "set $set"
	echo "date $(date -u +%F)"
	echo "commit $(cat "$work/commit")"
	grep -aE '^(release|backend|case|said|insns) ' "$out/stdout" || true
} >"$VM_OUT/matrix/$kernel.txt"
if [ $status != 0 ]; then
	echo "== $kernel: status $status; logs are in $out"
	grep -avE '^(release|backend|said|insns) ' "$out/stdout" | grep -avE '^case [^ ]* [^ ]* (pass|skip) ' || true
fi
