#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh TIME: runs every fuzzer of the repository for TIME (10s, 5m, 1000x).
set -eu
cd "$(dirname "$0")/.."

grep -rno --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*_test.go:[0-9]*:func | |' | sort |
	while read -r package name; do
		echo "== $package $name"
		"${GO:-go}" test -run '^$' -fuzz "^$name\$" -fuzztime "$1" "$package" </dev/null
	done
