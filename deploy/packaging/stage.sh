#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# stage.sh DEST PREFIX BINARY PAGES LICENCES: lays out below DEST everything that is
# installed, for "make install", the packages and the tarballs alike. BINARY is the
# agent, PAGES what genman wrote, LICENCES what licences.sh printed. All of it goes below PREFIX, but the configuration,
# which goes to /etc and is left alone where there is one.
set -eu
dest=$1 prefix=$2 binary=$3 pages=$4 licences=$5
cd "$(dirname "$0")/../.."

put() { install -D -m "$1" "$2" "$dest$3"; }

put 755 "$binary" "$prefix/bin/tracer-agent"
install -d "$dest$prefix/lib/systemd/system"
sed "s|/usr/bin/|$prefix/bin/|; s|/usr/share/|$prefix/share/|" deploy/systemd/tracer-agent.service >"$dest$prefix/lib/systemd/system/tracer-agent.service"
chmod 644 "$dest$prefix/lib/systemd/system/tracer-agent.service"
for page in "$pages"/man8/*; do
	put 644 "$page" "$prefix/share/man/man8/$(basename "$page")"
done
put 644 "$pages/completion/bash" "$prefix/share/bash-completion/completions/tracer-agent"
put 644 "$pages/completion/zsh" "$prefix/share/zsh/vendor-completions/_tracer-agent"
put 644 "$pages/completion/fish" "$prefix/share/fish/vendor_completions.d/tracer-agent.fish"
for file in README.md CHANGELOG.md LICENSE LICENSES/* docs/configuration.md docs/metrics.md docs/install.md docs/security.md; do
	put 644 "$file" "$prefix/share/doc/tracer-agent/$(basename "$file")"
done
put 644 "$licences" "$prefix/share/doc/tracer-agent/third-party-licences.txt"
put 644 deploy/packaging/copyright "$prefix/share/doc/tracer-agent/copyright"
put 644 deploy/systemd/config.yaml "$prefix/share/doc/tracer-agent/examples/config.yaml"
if [ ! -e "$dest/etc/tracer-agent/config.yaml" ]; then
	put 640 deploy/systemd/config.yaml /etc/tracer-agent/config.yaml
fi
