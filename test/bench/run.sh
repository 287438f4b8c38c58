#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh host|vm|cmp|plot: the benchmarks. Installs what they need (Debian, root).
#
#   host [ARGUMENT...]       CPU time on this machine; arguments of test/bench/host
#   vm [KERNEL [BACKEND]]    the instruction clock (6.12, fentry), see vm/run.sh;
#                            fails if a figure rose above the accepted ones, until
#                            ACCEPT=1 accepts it
#   cmp [OLD NEW]            two reports side by side; without names, those in
#                            test/bench/results with their committed versions
#   plot                     tables and chart of docs/performance.md
#
# host and vm store their report in test/bench/results, but only for their usual
# cases or if STORE names a file there.
set -eu
cd "$(cd "$(dirname "$(readlink -f "$0")")" && git rev-parse --show-toplevel)"
results=test/bench/results
figures() { go run ./test/bench/figures "$@"; }

# store REPORT NAME: keeps a report.
store() {
	mkdir -p "$results"
	cp "$1" "$results/$2.json"
	echo "stored as $results/$2.json"
}

case ${1:-} in
host)
	shift
	. test/vm/env.sh
	need nginx nginx-light bpftool bpftool python3 python3
	mkdir -p .cache/bench/host
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o .cache/bench/tracer-agent ./cmd/tracer-agent
	[ $# -gt 0 ] || STORE=${STORE:-host}
	go run ./test/bench/host -agent .cache/bench/tracer-agent -dir .cache/bench/host -out .cache/bench/host/bench.json "$@"
	[ -z "${STORE:-}" ] || store .cache/bench/host/bench.json "$STORE"
	;;
vm)
	set -- "${2:-6.12}" "${3:-fentry}"
	out=${BENCH_OUT:-$PWD/.cache/bench/vm}
	usual=
	[ -n "${BENCH_CASES:-}${AGENT_BIN:-}${AGENT_CMD:-}" ] || { usual=yes && STORE=${STORE:-vm-$1-$2}; }
	test/bench/vm/run.sh "$@"
	[ -z "${STORE:-}" ] || store "$out/bench.json" "$STORE"
	if [ -z "$usual" ]; then
		echo "not held against the accepted figures: other cases, or another agent"
	elif [ -n "${ACCEPT:-}" ]; then
		figures accept -update "$out/bench.json"
	else
		figures accept "$out/bench.json"
	fi
	;;
cmp)
	shift
	if [ $# = 2 ]; then
		figures compare "$1" "$2"
		exit
	fi
	old=$(mktemp)
	trap 'rm -f "$old"' EXIT
	for new in "$results"/*.json; do
		git show "HEAD:$new" >"$old" 2>/dev/null || { echo "$new is new"; continue; }
		echo "== $new"
		figures compare "$old" "$new"
	done
	;;
plot)
	figures plot docs/performance.md "$results"/*.json
	;;
*)
	echo "usage: run.sh host|vm|cmp|plot" >&2
	exit 2
	;;
esac
