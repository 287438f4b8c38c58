#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# guest-job.sh: what runs in the virtual machine of guest.sh: the tests of /src/flags,
# their output on the second serial port, then the end of the machine.
exec >/dev/ttyS1 2>&1 </dev/null
export PATH=/k8s:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root
export K8S_BIN=/k8s K8S_PROGRAMS=/programs TRACER_AGENT=/k8s/tracer-agent
ip link set lo up
modprobe br_netfilter # or answers of Services' pods on the same bridge would not be translated back
ulimit -n 65536
mapfile -t flags </src/flags
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
echo "$(uname -r): hierarchies: $(awk '$3 ~ /^cgroup/ { print $3 ":" $2 }' /proc/mounts | tr '\n' ' ')"
cd /src/test/k8s && /programs/k8s.test -test.timeout 60m -test.run "${flags[@]}"
echo "@@status $?"
sync
echo b >/proc/sysrq-trigger
