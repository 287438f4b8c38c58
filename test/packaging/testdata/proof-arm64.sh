#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a user does first with the program, in a guest. arm64_test.go reads what is printed.
# await COMMAND...: until it succeeds, as long as the guest may run.
await() { until "$@" >/dev/null 2>&1; do sleep 0.5; done; }

./tracer-agent version
./tracer-agent check || echo "check ended with $?"
python3 -m http.server --bind 127.0.0.1 8080 >/dev/null 2>&1 &
./tracer-agent run --port 8080 --stdout json >spans 2>log &
agent=$!
await grep -q "tracer-agent ready:" log
await curl -s http://127.0.0.1:8080/arm64
await grep -q '"/arm64"' spans
kill -TERM $agent
wait $agent
echo "ended with $?"
cat spans log
