#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test-vm.sh SET KERNEL...: the kernel matrix. Boots each stock kernel and runs SET
# there: verifier (every program loads), quick (also the shortest cases with each
# backend) or full; test/vm/matrix judges the results. Kernels and root disks are
# fetched at the first run. VM_JOBS guests run side by side; the default is one more
# than there are processors, since a guest also waits. ACCEPT=1 accepts the verifier's
# counts and takes the results over into docs/support.md. Of VM_DEADLINE, seconds since
# 1970, guests that would begin too late are skipped, and that is said.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || { echo "usage: test-vm.sh verifier|quick|full KERNEL..." >&2 && exit 2; }
set=$1
shift
. test/vm/env.sh

# series KERNEL: the first two numbers of its version.
series() { sed -E 's/^linux-[a-z]+-([0-9]+\.[0-9]+).*/\1/' "$VM_CACHE/kernel-$1/package"; }

# set_of KERNEL: what runs there. The shortest cases are enough for a kernel of unstable
# that is not of a later series than the newest backport, and for the newest on arm64,
# which 6.12 stands for.
set_of() {
	case $set-$1 in
	full-newest-arm64) echo quick && return ;;
	full-unstable*)
		newest=newest${1#unstable}
		[ -s "$VM_CACHE/kernel-$newest/package" ] &&
			[ "$(printf '%s\n' "$(series "$1")" "$(series "$newest")" | sort -V | tail -n 1)" = "$(series "$newest")" ] && echo quick && return
		;;
	esac
	echo "$set"
}

rm -rf "$VM_OUT/matrix"
ready=
files=
for kernel; do
	files="$files $VM_OUT/matrix/$kernel.txt"
	"$VM_DIR/kernel.sh" "$kernel" >/dev/null
	arch=$(arch_of "$kernel")
	case $ready in *" $arch "*) continue ;; esac
	ready="$ready $arch "
	"$VM_DIR/image.sh" "$arch" >/dev/null
	rm -rf "$VM_OUT/job-$arch"
	"$VM_DIR/matrix/job.sh" "$arch" "$VM_OUT/job-$arch"
done
for kernel; do echo "$kernel $(set_of "$kernel")"; done | xargs -P "${VM_JOBS:-$(($(nproc) + 1))}" -L 1 "$VM_DIR/matrix/one.sh"
ran=
for file in $files; do [ ! -e "$file" ] || ran="$ran $file"; done
# shellcheck disable=SC2086 # a list of files
exec go run ./test/vm/matrix ${ACCEPT:+-accept -publish} $ran
