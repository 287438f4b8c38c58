#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# integration.sh: the demo, then the integration tests on every backend that this
# kernel loads. What is skipped is said, with the reason. BACKENDS restricts the
# choice.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}

if [ "$(id -u)" != 0 ]; then
	echo "the integration tests load BPF programs: run them as root" >&2
	exit 1
fi
failed=
report=$(mktemp)
trap 'rm -f "$report"' EXIT
if ! bin/tracer-agent check >"$report"; then
	cat "$report"
	exit 1
fi

# shellcheck disable=SC2046 # a list of folders
"$go" test -count=1 -tags integration $(grep -rl --include='*_test.go' '^//go:build integration' . | xargs -n 1 dirname | sort -u | grep -v '^./test/integration')
for backend in ${BACKENDS:-fentry sock-tracepoint syscall-tracepoint}; do
	line=$(grep "^backend $backend " "$report")
	case $line in
	*" yes "*)
		echo "== backend $backend"
		TRACER_AGENT=$PWD/bin/tracer-agent TRACER_BACKEND=$backend "$go" test -count=1 -tags integration -timeout 40m ./test/integration/ || failed="$failed $backend"
		;;
	*) echo "== SKIPPED, this kernel does not load it: $line" | tr -s ' ' ;;
	esac
done
echo "== SKIPPED here: other stock kernels than those of make test-vm-quick (make test-vm), faults (make chaos), benchmarks (make bench)"
if [ -n "$failed" ]; then
	echo "== FAILED on backend:$failed" >&2
	exit 1
fi
