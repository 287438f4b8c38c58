#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh [KERNEL [BACKEND]]: the benchmark on the instruction clock.
#
# The guest has one CPU, and its clock is the number of instructions that it has
# executed (QEMU's icount): results do not depend on what else the machine does.
# Cache misses and parallelism are not shown.
#
# Environment
#   BENCH_OUT    folder for the report and the logs (default: .cache/bench/vm)
#   BENCH_CASES  cases to measure (default: nginx,go,python,unselected)
#   BENCH_ARGS   further arguments of the driver (test/bench/harness/settings.go)
#   AGENT_BIN    another binary than tracer-agent's; it is /job/agent in the guest
#   AGENT_CMD    its command line, in which {port} is the port to trace;
#                "none" measures the harness against itself
#   AGENT_FILES  a folder with what else it needs; it is /job/files in the guest
#   VS_BIN       another agent, which gets the same load in turn; /job/vs there
#   VS_CMD       its command line, in which {agent} is its binary
set -eu
root=$(cd "$(dirname "$(readlink -f "$0")")" && git rev-parse --show-toplevel)
kernel=${1:-6.12}
backend=${2:-auto}
out=${BENCH_OUT:-$root/.cache/bench/vm}

job=$(mktemp -d)
trap 'rm -rf "$job"' EXIT
cd "$root"
export CGO_ENABLED=0
go build -o "$job/" ./test/bench/vm/cmd/driver ./test/bench/goserver
if [ -n "${AGENT_BIN:-}" ]; then
	cp "$AGENT_BIN" "$job/agent"
elif [ "${AGENT_CMD:-}" != none ]; then
	go build -trimpath -ldflags='-s -w' -o "$job/agent" ./cmd/tracer-agent
fi
[ -z "${AGENT_FILES:-}" ] || cp -rL "$AGENT_FILES" "$job/files"
# Command lines go by files: they hold quotes and spaces.
set --
[ -z "${AGENT_CMD:-}" ] || { printf '%s' "$AGENT_CMD" >"$job/agent-cmd" && set -- "$@" '-agent-cmd "$(cat /job/agent-cmd)"'; }
[ -z "${VS_BIN:-}" ] || { cp "$VS_BIN" "$job/vs" && set -- "$@" '-vs /job/vs'; }
[ -z "${VS_CMD:-}" ] || { printf '%s' "$VS_CMD" >"$job/vs-cmd" && set -- "$@" '-vs-cmd "$(cat /job/vs-cmd)"'; }

# nginx is copied because some agents leave what is under /usr/sbin alone.
cat >"$job/cmd" <<GUEST
cp /usr/sbin/nginx /job/nginx
exec /job/driver -agent /job/agent -backend $backend -dir /out/logs -out /out/bench.json \\
	-goserver /job/goserver -nginx /job/nginx -nginx-body 200 -cases "${BENCH_CASES:-nginx,go,python,unselected}" \\
	-pairs 3 -requests 10000 -warm 1000 $* ${BENCH_ARGS:-}
GUEST

status=0
VM_ACCEL='tcg,thread=single -icount shift=0,sleep=off' VM_SMP=1 VM_MEM=${VM_MEM:-3G} VM_APPEND=mitigations=off VM_TIMEOUT=${VM_TIMEOUT:-1800} \
	"$root/test/vm/run.sh" "$kernel" "$job" "$out" || status=$?
cat "$out/stdout"
cp "$out"/files/bench.* "$out/" 2>/dev/null || true
exit $status
