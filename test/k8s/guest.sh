#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# guest.sh CGROUPS TEST FLAG...: runs the tests that a regular expression names in a
# virtual machine: a stock Debian with systemd, containerd, docker, podman and crun.
# CGROUPS says which hierarchies there are: v2, hybrid (v1 with v2 beside it) or v1.
# K8S_BIN, K8S_PROGRAMS and TRACER_AGENT as for the tests. The system is fetched at the
# first run and kept beside K8S_BIN.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { echo "usage: guest.sh CGROUPS TEST FLAG..." >&2 && exit 2; }
# systemd before 258 can be told to use v1 (kernel-command-line(7)).
legacy="SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0"
case $1 in
v2) cgroups= ;;
hybrid) cgroups=$legacy ;;
v1) cgroups="$legacy systemd.legacy_systemd_cgroup_controller=1" ;;
*) echo "guest.sh: CGROUPS is v2, hybrid or v1" >&2 && exit 2 ;;
esac
shift

packages=systemd,systemd-sysv,dbus,linux-image-cloud-amd64,kmod,iproute2,iptables,conntrack,procps,containerd,containernetworking-plugins,runc,crun,podman,docker.io,docker-cli,etcd-server,openssl
stamp=$(echo "$packages" | sha256sum | cut -c1-12)
system=$(dirname "$K8S_BIN")/system-$stamp.tar
if [ ! -s "$system" ]; then
	echo "fetching the guest's system" >&2
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' | head -n 1)
	INITRD=No mmdebstrap --quiet --mode=root --variant=minbase --format=tar --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="$packages" trixie "$system.part" "$mirror"
	mv "$system.part" "$system"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
tar -xpf "$system" -C "$root" --exclude='./dev/*'
mkdir -p "$root/src/test/k8s" "$root/src/scripts" "$root/k8s"
cp -r "$here/../../deploy" "$root/src/"
cp "$here"/*.sh "$root/src/test/k8s/"
for name in kube-apiserver kubelet kube-controller-manager kube-scheduler kube-proxy kubectl; do cp "$K8S_BIN/$name" "$root/k8s/"; done
cp -r "$K8S_PROGRAMS" "$root/programs"
cp "$TRACER_AGENT" "$root/k8s/tracer-agent"
printf '%s\n' "$@" >"$root/src/flags"
install -m 755 "$here/guest-job.sh" "$root/sbin/guest-job"
# No service but the tests is started.
cat >"$root/etc/systemd/system/tests.service" <<'END'
[Unit]
Requires=sysinit.target dbus.socket
After=sysinit.target dbus.socket
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/sbin/guest-job
END
mkfs.ext4 -q -F -O ^has_journal -d "$root" "$work/disk" 3G
kernel=$(ls "$root"/boot/vmlinuz-*)
cp "$kernel" "$work/vmlinuz"
rm -rf "$root"

# The clock counts instructions while the guest computes, so that its limits of time
# hold on a busy machine. The processor is described as test/vm/run.sh does, where the
# reasons stand.
nice -n 5 timeout -k 5 "${K8S_GUEST_TIMEOUT:-3600}" qemu-system-x86_64 -accel tcg,thread=single,tb-size=512 -icount shift=0,sleep=on -cpu max,-cx16,la57=off -m 4G \
	-nodefaults -no-reboot -display none -monitor none -net none -serial "file:$work/console" -serial "file:$work/said" \
	-drive "file=$work/disk,format=raw,if=none,id=root,cache=unsafe" -device nvme,serial=root,drive=root \
	-kernel "$work/vmlinuz" -append "console=ttyS0 no_timer_check quiet panic=-1 oops=panic root=/dev/nvme0n1 rootfstype=ext4 rootwait rw net.ifnames=0 systemd.unit=tests.service systemd.mask=serial-getty@ttyS0.service $cgroups" \
	</dev/null || echo "guest: QEMU ended with $?" >&2
tr -d '\r' <"$work/said" | grep -v '^@@status' || true
status=$(tr -d '\r' <"$work/said" | sed -n 's/^@@status //p' | tail -n 1)
if [ -z "$status" ]; then
	echo "guest: no status; its last words:" >&2
	tail -n 20 "$work/console" >&2
	exit 1
fi
exit "$status"
