#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fuzz-c.sh TIME: fuzzes the BPF programs, compiled for this machine, for TIME (10s,
# 5m) each. An input that fails is printed in base 64.
set -eu
cd "$(dirname "$0")/.."

case $1 in
*m) seconds=$((${1%m} * 60)) ;;
*) seconds=${1%s} ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/host-c.sh "$work" fuzz -O1 -fsanitize=fuzzer
for backend in fentry sock_tracepoint syscall_tracepoint; do
	echo "== $backend"
	"$work/fuzz-$backend" -max_total_time="$seconds" -max_len=600 -artifact_prefix="$work/" -verbosity=0 -print_final_stats=1
done
