#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh KERNEL JOBDIR OUTDIR: boots a guest and runs JOBDIR/cmd in it.
#
# KERNEL is a name that kernel.sh knows, or the path of a vmlinuz. JOBDIR is at
# /job in the guest. OUTDIR gets: stdout (what cmd printed, both streams), console
# (the kernel's messages), files/ (what cmd left in /out). The exit status is
# cmd's; 125 means that the guest died or did not end in time.
#
# Environment: VM_ACCEL (QEMU's -accel and what follows it), VM_SMP, VM_MEM,
# VM_CPU (its -cpu), VM_TIMEOUT in seconds, VM_APPEND (kernel command line), VM_QEMU, VM_ARCH (of a
# path: amd64 or arm64), VM_NICE (how nice a guest is to the machine's other work).
. "$(dirname "$(readlink -f "$0")")/env.sh"
set +e -o pipefail

[ $# = 3 ] || die "usage: run.sh KERNEL JOBDIR OUTDIR"
kernel=$1 job=$2 out=$3
arch=$(arch_of "$kernel")
[ -f "$kernel" ] || kernel=$("$VM_DIR/kernel.sh" "$kernel" 2>/dev/null) || die "no kernel $1"
image=$("$VM_DIR/image.sh" "$arch") || die "no root disk for $arch"

disks=$(mktemp -d)
trap 'rm -rf "$disks"' EXIT
mkdir -p "$out"
rm -rf "$out/stdout" "$out/console" "$out/files"
mkdir "$out/files"
tar cf "$disks/job" -C "$job" .
truncate -s %1M "$disks/job"
truncate -s 256M "$disks/out"

# QEMU 7.2 is wrong now and then: with several threads, with cmpxchg16b, and with
# five-level page tables. The first is off unless asked for, the others always.
accel=${VM_ACCEL:-tcg,thread=single}
case $arch in
arm64)
	qemu=${VM_QEMU:-qemu-system-aarch64}
	need "$qemu" qemu-system-arm
	# pauth-impdef: signing pointers as the architecture defines it is slow to emulate.
	machine="-M virt -cpu ${VM_CPU:-max,pauth-impdef=on} -serial file:$out/console -chardev file,id=report,path=$out/stdout -device pci-serial,chardev=report"
	append=console=ttyAMA0
	;;
*)
	qemu=${VM_QEMU:-qemu-system-x86_64}
	need "$qemu" qemu-system-x86
	machine="-cpu ${VM_CPU:-max,-cx16,la57=off} -serial file:$out/console -serial file:$out/stdout"
	append="console=ttyS0 no_timer_check"
	;;
esac
disk() { echo "-drive file=$2,format=raw,if=none,id=$1,$3 -device nvme,serial=$1,drive=$1"; }
# shellcheck disable=SC2046,SC2086 # options are lists of words
nice -n "${VM_NICE:-10}" timeout --foreground -k 5 "${VM_TIMEOUT:-300}" "$qemu" -accel $accel $machine \
	-smp "${VM_SMP:-2}" -m "${VM_MEM:-2G}" \
	-nodefaults -no-reboot -display none -monitor none -net none \
	$(disk root "$image" snapshot=on) $(disk job "$disks/job" readonly=on) $(disk out "$disks/out" cache=unsafe) \
	-kernel "$kernel" -append "$append quiet panic=-1 oops=panic root=PARTUUID=7ace0001-01 rootfstype=ext4 rootwait rw init=/sbin/guest-init net.ifnames=0 ${VM_APPEND:-}" \
	</dev/null
qemu_status=$?

tar xf "$disks/out" -C "$out/files" 2>/dev/null
status=$(tr -d '\r' <"$out/stdout" | sed -n 's/^@@status //p' | tail -n 1)
sed -i '/^@@status /d' "$out/stdout"
if [ -z "$status" ]; then
	say "the guest gave no exit status (QEMU's: $qemu_status); its last words:"
	tail -n 5 "$out/console" >&2
	exit 125
fi
exit "$status"
