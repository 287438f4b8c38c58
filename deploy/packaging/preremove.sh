#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Before removing (.deb: "remove", .rpm: 0 left), but not before an upgrade.
set -e
case ${1:-} in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now tracer-agent.service
else
	rm -f /etc/systemd/system/multi-user.target.wants/tracer-agent.service
fi
