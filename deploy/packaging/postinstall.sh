#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# After installing (.deb and .rpm). The service is not started: until somebody says
# what to trace there is nothing to do. One that runs is restarted by an upgrade.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
case ${1:-} in
configure) [ -z "${2:-}" ] || systemctl try-restart tracer-agent.service ;; # Debian: $2 is the old version
2) systemctl try-restart tracer-agent.service ;; # RPM: how many are installed now
esac
