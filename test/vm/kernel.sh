#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kernel.sh KERNEL: fetches a stock Debian cloud kernel and prints the path of its
# vmlinuz. KERNEL is 5.10, 6.1, 6.12, newest (of Debian's backports) or unstable;
# with -arm64 behind it, for that architecture. NVMe and ext4 are built into these
# kernels, so a guest needs neither an initramfs nor modules.
#
# Package versions leave the archive with time. The package is therefore found by
# search, and what was found is kept; VM_REFRESH=1 searches again.
. "$(dirname "$(readlink -f "$0")")/env.sh"

want=${1:-}
arch=$(arch_of "$want")
case ${want%-arm64} in
5.10) suite=bullseye pattern='5\.10\.0' ;;
6.1) suite=bookworm pattern='6\.1\.0' ;;
6.12) suite=trixie pattern='6\.12\.' ;;
newest) suite=trixie-backports pattern='[0-9]+\.[0-9]+' ;;
unstable) suite=sid pattern='[0-9]+\.[0-9]+' ;;
*) die "usage: kernel.sh 5.10|6.1|6.12|newest|unstable[-arm64]" ;;
esac

# candidates: packages that may hold the kernel, best first. From 6.19 on
# linux-binary-* holds it and the linux-image-* of the same version is empty.
candidates() {
	apt_suite "$suite" "$arch" apt-cache search --names-only "^linux-(image|binary)-$pattern.*-cloud-$arch\$" |
		awk '{ name = $1; v = name; sub(/^linux-(image|binary)-/, "", v); print v, name }' |
		sort -k1,1Vr -k2,2 | awk '{ print $2 }'
}

# fetch PACKAGE: leaves its vmlinuz in the cache, or fails if it has none.
fetch() {
	work=$(mktemp -d "$VM_CACHE/fetch.XXXXXX")
	(cd "$work" && apt_suite "$suite" "$arch" apt-get download "$1" >&2 && dpkg-deb -x ./*.deb tree) || { rm -rf "$work"; return 1; }
	image=$(find "$work/tree" -name 'vmlinuz*' -type f | head -n 1)
	if [ -n "$image" ]; then
		mkdir -p "$dir" && mv "$image" "$dir/vmlinuz" && echo "$1" >"$dir/package"
	fi
	rm -rf "$work"
	[ -n "$image" ]
}

dir=$VM_CACHE/kernel-$want
if [ ! -s "$dir/vmlinuz" ] || [ -n "${VM_REFRESH:-}" ]; then
	say "looking for kernel $want in $suite"
	apt_suite "$suite" "$arch" apt-get update >&2
	for package in $(candidates); do
		fetch "$package" && break
		say "$package holds no kernel"
	done
fi
[ -s "$dir/vmlinuz" ] || die "no cloud kernel $want in $suite"
say "kernel $want: $(cat "$dir/package")"
echo "$dir/vmlinuz"
