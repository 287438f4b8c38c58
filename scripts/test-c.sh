#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test-c.sh: the BPF programs on this machine instead of in the kernel, under
# sanitizers: unit tests, the comparison with the model in internal/conn, and a few
# thousand inputs of the fuzzer, the same ones every time.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
backends='fentry sock_tracepoint syscall_tracepoint'

scripts/host-c.sh "$work" unit
for backend in $backends; do
	echo "unit tests of $backend"
	"$work/unit-$backend"
done
scripts/host-c.sh "$work" play
HOSTC=$work "${GO:-go}" test -count=1 -tags hostc -run '^TestModelIsThePrograms' ./internal/conn
scripts/host-c.sh "$work" fuzz -fsanitize=fuzzer
for backend in $backends; do
	if ! "$work/fuzz-$backend" -runs=3000 -seed=1 -max_len=600 -artifact_prefix="$work/" >"$work/log" 2>&1; then
		cat "$work/log" >&2
		exit 1
	fi
	echo "fuzzed $backend: 3000 inputs"
done
