#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# guest.sh KERNEL OUTDIR COMMAND FILE...: runs COMMAND (a line of shell) in a
# guest, in a folder with the agent (./tracer-agent, linked statically) and the
# FILEs. Prints what it prints and exits as it does. AGENT_BIN is used instead of
# building the agent, if set.
. "$(dirname "$(readlink -f "$0")")/env.sh"

[ $# -ge 3 ] || die "usage: guest.sh KERNEL OUTDIR COMMAND FILE..."
kernel=$1 out=$2 command=$3
shift 3

job=$(mktemp -d)
trap 'rm -rf "$job"' EXIT
if [ -n "${AGENT_BIN:-}" ]; then
	cp "$AGENT_BIN" "$job/tracer-agent"
else
	(cd "$REPO_DIR" && GOARCH=$(arch_of "$kernel") CGO_ENABLED=0 go build -o "$job/tracer-agent" ./cmd/tracer-agent) || die "the agent does not build"
fi
for file; do cp -r "$file" "$job/"; done
echo "$command" >"$job/cmd"
status=0
"$VM_DIR/run.sh" "$kernel" "$job" "$out" || status=$?
cat "$out/stdout"
exit $status
