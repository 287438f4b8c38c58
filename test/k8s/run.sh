#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh [GO TEST FLAG...]: installs what the tests need, builds a Kubernetes control
# plane and node through the Go module proxy (once, minutes), and runs the tests.
set -eu
cd "$(dirname "$0")/../.."
go=${GO:-go}

if [ "$(id -u)" != 0 ]; then
	echo "the tests load BPF programs and make cgroups: run them as root" >&2
	exit 1
fi
scripts/deps.sh test/k8s/packages.txt
K8S_BIN=$(test/k8s/build.sh)
export K8S_BIN
PATH=$K8S_BIN:$PATH
TRACER_AGENT=$PWD/bin/tracer-agent "$go" test -count=1 -tags k8s -timeout 30m "$@" ./test/k8s/
