#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test-vm.sh SET KERNEL... [-- FLAG...]: the kernel matrix. Boots each stock kernel
# and runs SET there: verifier (every program loads), quick (also the shortest
# cases with each backend) or full. FLAGs are those of test/vm/matrix, which judges
# the results. Kernels and root disks are fetched at the first run. VM_JOBS guests
# run side by side (default 2).
set -eu
cd "$(dirname "$0")/.."
set=$1
shift
. test/vm/env.sh

kernels=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	kernels="$kernels $1"
	shift
done
[ $# = 0 ] || shift
ready=
for kernel in $kernels; do
	"$VM_DIR/kernel.sh" "$kernel" >/dev/null
	arch=$(arch_of "$kernel")
	case $ready in *" $arch "*) continue ;; esac
	ready="$ready $arch "
	"$VM_DIR/image.sh" "$arch" >/dev/null
	rm -rf "$VM_CACHE/job-$arch"
	"$VM_DIR/matrix/job.sh" "$arch" "$VM_CACHE/job-$arch"
	rm -f "$VM_CACHE/matrix"/*.txt
done
printf '%s\n' $kernels | xargs -P "${VM_JOBS:-2}" -I{} "$VM_DIR/matrix/one.sh" {} "$set"
files=
for kernel in $kernels; do files="$files $VM_CACHE/matrix/$kernel.txt"; done
# shellcheck disable=SC2086 # a list of files
exec go run ./test/vm/matrix "$@" $files
