#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test-packaging.sh: builds everything that is shipped twice, from two copies of the
# sources, and tests it (test/packaging). RUN chooses tests, as -run does, KERNELS the
# kernels of the virtual machines.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
if [ "$(id -u)" != 0 ]; then
	echo "the packaging tests install packages in clean roots and load BPF programs: run them as root" >&2
	exit 1
fi
scripts/deps.sh test/packaging/packages.txt

VERSION=${VERSION:-$(git describe --tags --always)}
COMMIT=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
TRACER_CACHE=$PWD/.cache/packaging # a clean Debian, kept between runs
TRACER_KERNELS=
for kernel in ${KERNELS:-5.10 6.12}; do
	TRACER_KERNELS="$TRACER_KERNELS $(test/vm/kernel.sh "$kernel")"
done
TRACER_GUEST=$PWD/test/vm/guest.sh # arm64's
export TRACER_GUEST TRACER_KERNELS VERSION COMMIT SOURCE_DATE_EPOCH TRACER_CACHE
mkdir -p "$TRACER_CACHE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# The copies differ in all that a builder may differ in. Everything is taken from
# them, so that the sources may change meanwhile.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
	[ ! -e "$file" ] || printf '%s\0' "$file"
done >"$work/list"
one=$work/one two=$work/another/place/for/the/sources
mkdir -p "$one" "$two"
tar -cf - --null -T "$work/list" | tar -xf - -C "$one"
cp -a "$one/." "$two"
echo "== building twice"
GO=$go "$one/deploy/packaging/package.sh" "$work/dist"
(umask 077 && cd "$two" && TZ=Asia/Tokyo LANG=C.UTF-8 GO=$go deploy/packaging/package.sh "$work/again" >/dev/null)

(cd "$one/deploy/packaging" && "$go" vet ./...)
echo "== testing"
export TRACER_DIST="$work/dist" TRACER_DIST_AGAIN="$work/again"
cd "$one"
unshare --mount --propagation private "$go" test -count=1 -tags packaging -timeout 60m ${RUN:+-run "$RUN"} ${VERBOSE:+-v} ./test/packaging
