#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# image.sh: builds the guests' root disk from Debian packages and prints its path.
# One image serves every kernel. It is built again when this file or guest-init.sh
# changes; the packages are fetched again only when their list changes.
. "$(dirname "$(readlink -f "$0")")/env.sh"

suite=trixie
packages=mount,ca-certificates,iproute2,procps,kmod,hostname,openssl,curl,bpftool,python3,nginx-light,nodejs,apache2-utils,wrk
image=$VM_CACHE/root.ext4
partition_start=1048576 # bytes; the disk has one partition, for root=PARTUUID
disk_id=7ace0001        # run.sh boots from PARTUUID=$disk_id-01
spare_mb=400            # free space in the image

stamp=$(cat "$VM_DIR/image.sh" "$VM_DIR/guest-init.sh" | sha256sum | cut -c1-16)
system_stamp=$(echo "$suite $packages" | sha256sum | cut -c1-16)
if [ -s "$image" ] && [ "$(cat "$image.stamp" 2>/dev/null)" = "$stamp" ]; then
	echo "$image"
	exit 0
fi

[ "$(id -u)" = 0 ] || die "building the image needs root"
need mmdebstrap mmdebstrap mkfs.ext4 e2fsprogs sfdisk fdisk

# The system as a tar, the slow part.
system=$VM_CACHE/system-$system_stamp.tar
if [ ! -s "$system" ]; then
	say "building the guest's system ($suite)"
	rm -f "$VM_CACHE"/system-*.tar
	mmdebstrap --quiet --format=tar --variant=apt --mode=root --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--include="$packages" "$suite" "$system.part" "$(debian_mirror)" >&2
	mv "$system.part" "$system"
fi

say "making $image"
root=$(mktemp -d "$VM_CACHE/root.XXXXXX")
tar xf "$system" -C "$root" --exclude='./dev/*'
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
mkdir -p "$root/job" "$root/out"
install -m 755 "$VM_DIR/guest-init.sh" "$root/sbin/guest-init"
size_mb=$(($(du -sm --apparent-size "$root" | cut -f1) * 115 / 100 + spare_mb))
rm -f "$image" "$image.stamp"
truncate -s $((size_mb + 1))M "$image"
mkfs.ext4 -q -F -O ^has_journal -E "lazy_itable_init=0,root_owner=0:0,offset=$partition_start" -d "$root" "$image" ${size_mb}M
printf 'label: dos\nlabel-id: 0x%s\nstart=%d, size=%dMiB, type=83\n' $disk_id $((partition_start / 512)) "$size_mb" | sfdisk -q -w never -W never --no-reread --no-tell-kernel "$image" >/dev/null
rm -rf "$root"
echo "$stamp" >"$image.stamp"
echo "$image"
