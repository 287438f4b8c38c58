#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# uninstall.sh DESTDIR PREFIX: removes what "make install" puts there. The list is
# made by installing it all into an empty folder. /etc/tracer-agent stays: it is the
# administrator's.
set -eu
cd "$(dirname "$0")/.."
dest=$1 prefix=$2
list=$(mktemp -d)
trap 'rm -rf "$list"' EXIT
deploy/packaging/stage.sh "$list" "$prefix" /dev/null bin/pages /dev/null
(cd "$list" && find . -type f ! -path './etc/*') | while read -r file; do
	rm -fv "$dest/$file"
done
rm -rf "$dest$prefix/share/doc/tracer-agent"
