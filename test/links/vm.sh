#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# vm.sh KERNEL [FLAG...]: runs these tests on a stock kernel, in a virtual machine
# (../vm/README.md). FLAGs are those of a test binary; without any, what the guest
# has the programs for. TRACER_BACKEND is passed on.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
. ../vm/env.sh
[ $# -ge 1 ] || die "usage: vm.sh KERNEL [FLAG...]"
kernel=$1
shift
if [ $# = 0 ]; then
	set -- "-test.run='TestLinks/^(go|go-detached|go-shared-workers|go-background|python-.*|asyncio|gunicorn-.*|node-.*|nginx-proxy.*|apache-prefork-proxy)$|TestRestart|TestClockSteps|TestReusedPorts|TestUnixSockets|TestRequestID'"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOARCH=$(arch_of "$kernel")
export GOARCH CGO_ENABLED=0
mkdir "$work/prebuilt"
cp -r services "$work/services"
go test -c -tags links -o "$work/links.test" .
go build -o "$work/prebuilt/" ./services/leaf ./services/sdkservice ./services/goservice ../../cmd/tracer-agent
AGENT_BIN=$work/prebuilt/tracer-agent VM_ACCEL=${VM_ACCEL:-tcg,thread=single -icount shift=0,sleep=off} VM_TIMEOUT=${VM_TIMEOUT:-3600} \
	"$VM_DIR/guest.sh" "$kernel" "$VM_OUT/out/links-$(basename "$kernel")" \
	"chmod 755 . && TRACER_LINKS_STEP_CLOCK=1 TRACER_TEST_BIN=\$PWD/prebuilt TRACER_BACKEND=${TRACER_BACKEND:-} ./links.test -test.timeout=60m $*" \
	"$work/links.test" "$work/services" "$work/prebuilt"
