#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gotest.sh KERNEL PACKAGE [FLAG...]: runs a package's Go tests on a stock kernel,
# in a copy of the package's folder (for testdata). Flags are those of a test
# binary: -test.run=Name, -test.v.
. "$(dirname "$(readlink -f "$0")")/env.sh"
[ $# -ge 2 ] || die "usage: gotest.sh KERNEL PACKAGE [FLAG...]"
kernel=$1 package=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$REPO_DIR"
cp -r "$(go list -f '{{.Dir}}' "$package")" "$work/package"
GOARCH=$(arch_of "$kernel") CGO_ENABLED=0 go test -c -o "$work/package/package.test" "$package"
[ -x "$work/package/package.test" ] || die "$package has no tests"
echo "cd /job/package && exec ./package.test $*" >"$work/cmd"
mkdir "$work/job" && mv "$work/package" "$work/cmd" "$work/job/"
out=$VM_OUT/out/gotest-$(basename "$kernel")-$(basename "$package")
status=0
"$VM_DIR/run.sh" "$kernel" "$work/job" "$out" || status=$?
cat "$out/stdout"
exit $status
