#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# After removing. Debian's "purge" also takes what the administrator put beside the
# configuration: the file with secrets.
set -e
if [ "${1:-}" = purge ]; then
	rm -f /etc/tracer-agent/environment
	rmdir /etc/tracer-agent 2>/dev/null || true
fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
