#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh host|vm: the benchmarks. Installs what they need (Debian, root).
#
#   host [ARGUMENT...]       CPU time on this machine; arguments of test/bench/host
#   vm [KERNEL [BACKEND]]    the instruction clock; see vm/run.sh
set -eu
cd "$(cd "$(dirname "$(readlink -f "$0")")" && git rev-parse --show-toplevel)"

case ${1:-} in
host)
	shift
	. test/vm/env.sh
	need nginx nginx-light bpftool bpftool python3 python3
	mkdir -p .cache/bench/host
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o .cache/bench/tracer-agent ./cmd/tracer-agent
	exec go run ./test/bench/host -agent .cache/bench/tracer-agent -dir "$PWD/.cache/bench/host" -out .cache/bench/host/bench.json "$@"
	;;
vm)
	shift
	exec test/bench/vm/run.sh "$@"
	;;
*)
	echo "usage: run.sh host|vm" >&2
	exit 2
	;;
esac
