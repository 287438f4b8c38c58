#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# package.sh OUT [ARCH...]: builds .deb, .rpm, tarball and SBOM of the agent for amd64
# and arm64, the container image of all of them, and SHA256SUMS, into OUT. The same
# commit gives the same bytes: times are the commit's (SOURCE_DATE_EPOCH), owners are
# root, and nothing of this machine gets in. VERSION names what is built; with
# ONLY=image or ONLY=sbom nothing else is.
set -eu
umask 022
cd "$(dirname "$0")/../.."
go=${GO:-go}
version=${VERSION:?}
out=$1
shift
[ $# -gt 0 ] || set -- amd64 arm64
mkdir -p "$out"
out=$(cd "$out" && pwd)
export LC_ALL=C TZ=UTC
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
commit=${COMMIT:-$(git rev-parse HEAD)}
export SOURCE_DATE_EPOCH

# A package's version begins with a digit. What no tag names is before all that will be.
case $version in
v[0-9]*) PACKAGE_VERSION=${version#v} ;;
[0-9]*.*) PACKAGE_VERSION=$version ;;
*) PACKAGE_VERSION=0.0.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$version ;;
esac
PACKAGE_VERSION=$(echo "$PACKAGE_VERSION" | tr -- '-' '+') # a dash would begin the release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
only=${ONLY:-all}
rm -f "$out/SHA256SUMS"
[ "$only" != all ] || rm -f "$out"/tracer-agent[_-]*

# The tools are those of this folder's own Go module.
tools="./image ./sbom"
if [ "$only" = all ]; then
	tools="$tools github.com/goreleaser/nfpm/v2/cmd/nfpm"
	"$go" run ./internal/cli/genman -version "$version" -out "$work/pages"
fi
# shellcheck disable=SC2086 # a list of words
(cd deploy/packaging && "$go" build -trimpath -buildvcs=false -o "$work/" $tools)

# build ARCH: the binary, the same on every machine that has this Go.
build() {
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 GOAMD64=v1 GOARM64=v8.0 GOFLAGS= "$go" build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X main.version=$version -X main.commit=$commit -X main.date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
		-o "$work/$1/tracer-agent" ./cmd/tracer-agent
	GO=$go deploy/packaging/licences.sh "$work/$1/tracer-agent" >"$work/$1/licences.txt"
}

# settle DIRECTORY: times are those of the commit.
settle() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# archive ARCH: a tarball to be unpacked in /usr/local.
archive() {
	name=tracer-agent-$version-linux-$1
	deploy/packaging/stage.sh "$work/tar-$1" /usr/local "$work/$1/tracer-agent" "$work/pages" "$work/$1/licences.txt"
	mv "$work/tar-$1/usr/local" "$work/tar-$1/$name"
	settle "$work/tar-$1/$name"
	tar --format=ustar --sort=name --owner=0 --group=0 --numeric-owner -C "$work/tar-$1" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
}

# packages ARCH: .deb and .rpm.
packages() {
	deploy/packaging/stage.sh "$work/stage-$1" /usr "$work/$1/tracer-agent" "$work/pages" "$work/$1/licences.txt"
	settle "$work/stage-$1"
	for kind in deb rpm; do
		sed "s|\${ARCH}|$1|; s|\${PACKAGE_VERSION}|$PACKAGE_VERSION|; s|\${STAGE}|$work/stage-$1|; s|\${SCRIPTS}|deploy/packaging|" deploy/packaging/nfpm.yaml >"$work/nfpm.yaml"
		"$work/nfpm" package --config "$work/nfpm.yaml" --packager $kind --target "$out/" >/dev/null
	done
}

binaries=
for arch in "$@"; do
	build "$arch"
	binaries="$binaries $arch=$work/$arch/tracer-agent"
	if [ "$only" = all ]; then
		archive "$arch"
		packages "$arch"
	fi
	if [ "$only" != image ]; then
		"$work/sbom" -version "$version" -binary "$work/$arch/tracer-agent" >"$out/tracer-agent-$version-linux-$arch.cdx.json"
	fi
done
# shellcheck disable=SC2086 # a list of words; the licences are those of the first architecture
[ "$only" = sbom ] || "$work/image" -version "$version" -licences "$work/$1/licences.txt" -out "$out/tracer-agent-$version-image.tar" $binaries
[ "$only" != all ] || (cd "$out" && sha256sum -- tracer-agent* >SHA256SUMS)
ls -l "$out"
