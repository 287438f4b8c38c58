#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Process 1 of the guest. It mounts what a running system has, unpacks the disk
# with serial number "job" (a raw tar) to /job, runs /job/cmd with its output on
# the second serial port, writes /out as a raw tar to the disk with serial number
# "out", reports the exit status, and switches the machine off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LANG=C.UTF-8
case $(uname -m) in
aarch64) report=/dev/ttyS0 ;; # on PCI; the first is a PL011
*) report=/dev/ttyS1 ;;
esac

mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /job /out
mount -t devpts devpts /dev/pts
for dir in /dev/shm /run /tmp /job /out; do mount -t tmpfs tmpfs "$dir"; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
hostname guest
ip link set lo up
ulimit -n 65536

# NVMe disks are numbered in no fixed order; their serial numbers are ours.
disk() {
	for name in /sys/block/nvme*n1; do
		read -r serial _ <"$name/device/serial"
		[ "$serial" = "$1" ] && echo "/dev/${name##*/}" && return 0
	done
	return 1
}
tries=0
until job=$(disk job) && out=$(disk out); do
	tries=$((tries + 1))
	[ $tries -gt 50 ] && echo "guest: no job or out disk" && break
	sleep 0.2
done

[ -e /dev/stdout ] || { ln -s /proc/self/fd/0 /dev/stdin && ln -s /proc/self/fd/1 /dev/stdout && ln -s /proc/self/fd/2 /dev/stderr; }
stty -F $report raw -echo
tar xf "$job" -C /job
cd /job && sh /job/cmd </dev/null >$report 2>&1
status=$?
dmesg >/out/dmesg
tar cf "$out" -C /out .
echo "@@status $status" >$report
sync
echo o >/proc/sysrq-trigger
sleep 10
