#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# licences.sh BINARY: prints the licences of all that is linked into a Go binary: Go's
# own and those of the modules that the linker recorded. Fails if a module has none.
set -eu
cd "$(dirname "$0")/../.."
go=${GO:-go}
rule=----------------------------------------------------------------------

echo "tracer-agent contains the following software, under these licences."
printf '\n%s\nGo standard library, %s\n%s\n' $rule "$("$go" env GOVERSION)" $rule
cat "$("$go" env GOROOT)/LICENSE"
modules=$("$go" version -m "$1" | awk '$1 == "dep" { print $2 }')
# shellcheck disable=SC2086 # a list of words
"$go" list -m -f '{{.Path}} {{.Version}} {{.Dir}}' $modules | while read -r path version dir; do
	[ -n "$dir" ] || dir=$("$go" mod download -json "$path@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	found=
	for file in "$dir"/LICEN[CS]E* "$dir"/COPYING* "$dir"/NOTICE*; do
		[ -f "$file" ] || continue
		found=yes
		printf '\n%s\n%s %s: %s\n%s\n' $rule "$path" "$version" "$(basename "$file")" $rule
		cat "$file"
	done
	[ -n "$found" ] || { echo "no licence of $path $version in $dir" >&2; exit 1; }
done
