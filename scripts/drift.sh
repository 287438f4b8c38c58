#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# drift.sh: generates everything anew and fails if that changes a file. It
# compares with the files as they are, committed or not.
set -eu
cd "$(dirname "$0")/.."

generated() {
	find bpf docs -type f \( -name '*_bpfel.*' -o -path docs/configuration.md -o -path docs/metrics.md \) -exec sha256sum {} + | sort -k 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
generated >"$work/before"
"${GO:-go}" generate ./...
generated >"$work/after"
if ! diff "$work/before" "$work/after" >"$work/diff"; then
	echo "generated files are not what their sources make:" >&2
	awk '/^[<>]/ { print "  " $3 }' "$work/diff" | sort -u >&2
	echo "they have been written anew: look at them and commit them (make generate)" >&2
	exit 1
fi
