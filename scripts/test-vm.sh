#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test-vm.sh KERNEL...: test/vm/spine.sh with every backend that should work on
# each kernel. Prints a line for each and fails if one failed. Kernels and a root
# disk are fetched at the first run; a guest takes minutes where there is no KVM.
set -eu
cd "$(dirname "$0")/.."

backends() {
	case $1 in
	5.10 | 6.1) echo fentry syscall-tracepoint ;; # sock-tracepoint came with 6.3
	*) echo fentry sock-tracepoint syscall-tracepoint ;;
	esac
}

failed=0
for kernel; do
	for backend in $(backends "$kernel"); do
		if result=$(test/vm/spine.sh "$kernel" "$backend" </dev/null 2>/dev/null); then
			echo "$result" | grep '^PASS'
		else
			echo "FAIL kernel=$kernel backend=$backend"
			echo "$result" | tail -n 20 | sed 's/^/  /'
			failed=1
		fi
	done
done
# What only fentry sees. io_uring needs 5.11 for what the server does.
if result=$(test/vm/uring.sh 6.12 </dev/null 2>/dev/null); then
	echo "$result" | grep '^PASS'
else
	echo "FAIL kernel=6.12 io_uring"
	echo "$result" | tail -n 20 | sed 's/^/  /'
	failed=1
fi
exit $failed
