#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ci.sh: what CI runs, in an order in which the cheapest failures come first. All
# of it has to end within CI_MINUTES (default 78): what does not fit is skipped,
# and said. A stage that fails ends the run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

limit=${CI_MINUTES:-78}
skipped=()

left() { echo $((limit - SECONDS / 60)); }

# stage MINUTES COMMAND...: runs a command that takes so long on two processors, if there is time.
stage() {
	local minutes=$1 began=$SECONDS
	shift
	if [ "$(left)" -lt "$minutes" ]; then
		skipped+=("$*: it takes $minutes minutes, $(left) are left")
		return
	fi
	echo "== $*"
	"$@"
	echo "== $*: $((SECONDS - began)) s"
}

stage 0 make deps
stage 0 make check drift
stage 0 make test-c
stage 0 make unit
stage 0 make integration
stage 3 make harm HARM_TIME=30s
# Guests that would begin too late are skipped by themselves.
stage 15 make test-vm VM_DEADLINE=$(($(date +%s) - SECONDS + limit * 60))
stage 8 make test-packaging

for what in "${skipped[@]}"; do
	echo "== SKIPPED: $what"
done
echo "== SKIPPED: make test-k8s, which builds Kubernetes first; make fuzz, which finds something new at each run; make chaos, bench, bench-vm, bench-links, mutation, which measure"
