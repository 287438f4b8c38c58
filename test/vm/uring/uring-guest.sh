#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In the guest: five requests to the io_uring server, five spans.
# Needs 5.11 for what the server does.
set -eu
release=$(uname -r)
case $release in 5.10.*)
	echo "--- SKIP: io_uring of $release is too old"
	exit 0
	;;
esac
cd /job/bin
mkfifo /tmp/address /tmp/log
./uring 5 >/tmp/address &
server=$!
read -r address </tmp/address
./tracer-agent run --pid $server --backend fentry --stdout json >/tmp/spans 2>/tmp/log &
agent=$!
read -r line </tmp/log
echo "$line"
cat </tmp/log >/tmp/rest &
for i in 1 2 3 4 5; do curl -sS "http://$address/uring/$i"; done
echo
wait $server
kill -TERM $agent
wait $agent
n=$(grep -c '"http.response.status_code":200' /tmp/spans || true)
paths=$(grep -o '/uring/[0-9]' /tmp/spans | sort -u | wc -l)
if [ "$n" = 5 ] && [ "$paths" = 5 ]; then
	echo "PASS kernel=$(uname -r) backend=fentry io_uring spans=$n"
else
	echo "FAIL kernel=$(uname -r) io_uring spans=$n paths=$paths"
	cat /tmp/spans
	exit 1
fi
