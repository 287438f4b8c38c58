#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh [FLAG...]: installs what the tests need, builds a Kubernetes control plane and
# node through the Go module proxy (once, minutes), and runs the tests: on this machine,
# then those that cgroups matter to in guests with systemd, which have cgroup v2 alone, v1
# alone, and both. With flags of a test binary (-test.run TestPeers) on this machine alone.
set -eu
cd "$(dirname "$0")/../.."
go=${GO:-go}

if [ "$(id -u)" != 0 ]; then
	echo "the tests load BPF programs and make cgroups: run them as root" >&2
	exit 1
fi
scripts/deps.sh test/k8s/packages.txt
K8S_BIN=$(test/k8s/build.sh)
K8S_PROGRAMS=$(mktemp -d) # the tests, and what runs in their containers
trap 'rm -rf "$K8S_PROGRAMS"' EXIT
CGO_ENABLED=0 "$go" build -o "$K8S_PROGRAMS/echo" ./test/k8s/cmd/echo
gcc -static -xc -o "$K8S_PROGRAMS/pause" - <<END
#include <unistd.h>
int main(void) { for (;;) pause(); }
END
CGO_ENABLED=0 "$go" test -c -tags k8s -o "$K8S_PROGRAMS/k8s.test" ./test/k8s
export K8S_BIN K8S_PROGRAMS TRACER_AGENT="$PWD/bin/tracer-agent"
(cd test/k8s && PATH=$K8S_BIN:$PATH "$K8S_PROGRAMS/k8s.test" -test.timeout 30m "$@")
[ $# = 0 ] || exit 0
echo "== guest with cgroup v2 alone"
test/k8s/guest.sh v2 '^(TestRuntimes|TestFirstRequest|TestDaemonSetOnANode|TestForgedCgroupNames)$' -test.v
echo "== guest with cgroup v1 alone"
test/k8s/guest.sh v1 '^(TestRuntimes|TestNamespaceLabelFlips)$' -test.v
echo "== guest with both"
test/k8s/guest.sh hybrid '^TestRuntimes$' -test.v
