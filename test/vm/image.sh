#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# image.sh [ARCH]: builds the guests' root disk from Debian packages and prints its
# path. One image serves every kernel of an architecture. It is built again when
# this file or guest-init.sh changes; the packages are fetched again only when their
# list changes.
. "$(dirname "$(readlink -f "$0")")/env.sh"

arch=${1:-amd64}
suite=trixie
# What the tests use, then (for arm64, whose packages are unpacked but not configured) the essential ones.
packages=mount,ca-certificates,iproute2,procps,kmod,hostname,openssl,curl,bpftool,python3,nginx-light,nodejs,apache2-bin,apache2-utils,gunicorn,wrk
essential=base-files,base-passwd,bash,bsdutils,coreutils,dash,diffutils,findutils,grep,gzip,libc-bin,login,mawk,perl-base,sed,tar,util-linux
image=$VM_CACHE/root-$arch.ext4
partition_start=1048576 # bytes; the disk has one partition, for root=PARTUUID
disk_id=7ace0001        # run.sh boots from PARTUUID=$disk_id-01
spare_mb=400            # free space in the image

# bootstrap TAR: the system as a tar, the slow part. This machine may be unable to
# run programs of another architecture, which configuring packages would need.
bootstrap() {
	case $arch in
	"$(dpkg --print-architecture)") set -- "$1" --variant=apt "--include=$packages" ;;
	*) set -- "$1" --variant=extract "--architectures=$arch" "--include=$essential,$packages" ;;
	esac
	say "building the guest's system ($suite, $arch)"
	tar=$1
	shift
	mmdebstrap --quiet --format=tar --mode=root --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		"$@" "$suite" "$tar.part" "$(debian_mirror)" >&2
	mv "$tar.part" "$tar"
}

# settle ROOT: what configuring the packages would have left there.
settle() {
	[ -e "$1/etc/passwd" ] || cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
	[ -e "$1/etc/group" ] || cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
	[ -e "$1/usr/bin/awk" ] || ln -s mawk "$1/usr/bin/awk"
	mkdir -p "$1/var/log/nginx" "$1/var/lib/nginx" "$1/job" "$1/out"
	rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*
	install -m 755 "$VM_DIR/guest-init.sh" "$1/sbin/guest-init"
}

stamp=$(cat "$VM_DIR/image.sh" "$VM_DIR/guest-init.sh" | sha256sum | cut -c1-16)
system=$VM_CACHE/system-$arch-$(echo "$suite $essential $packages" | sha256sum | cut -c1-16).tar
exec 9>"$image.lock"
flock 9 # guests that start side by side want one image
if [ -s "$image" ] && [ "$(cat "$image.stamp" 2>/dev/null)" = "$stamp" ]; then
	echo "$image"
	exit 0
fi

[ "$(id -u)" = 0 ] || die "building the image needs root"
need mmdebstrap mmdebstrap mkfs.ext4 e2fsprogs sfdisk fdisk
if [ ! -s "$system" ]; then
	rm -f "$VM_CACHE/system-$arch"-*.tar
	bootstrap "$system"
fi

say "making $image"
root=$(mktemp -d "$VM_CACHE/root.XXXXXX")
tar xf "$system" -C "$root" --exclude='./dev/*'
settle "$root"
size_mb=$(($(du -sm --apparent-size "$root" | cut -f1) * 115 / 100 + spare_mb))
rm -f "$image.stamp" "$image.new"
truncate -s $((size_mb + 1))M "$image.new"
mkfs.ext4 -q -F -O ^has_journal -E "lazy_itable_init=0,root_owner=0:0,offset=$partition_start" -d "$root" "$image.new" ${size_mb}M
printf 'label: dos\nlabel-id: 0x%s\nstart=%d, size=%dMiB, type=83\n' $disk_id $((partition_start / 512)) "$size_mb" | sfdisk -q -w never -W never --no-reread --no-tell-kernel "$image.new" >/dev/null
rm -rf "$root"
mv "$image.new" "$image" # a guest that runs keeps the old one
echo "$stamp" >"$image.stamp"
echo "$image"
