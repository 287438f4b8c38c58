#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What an administrator does with the package, in a guest with systemd. boot_test.go
# reads what is printed.
exec >/dev/ttyS1 2>&1
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin

section() { echo "@@ $1"; }
logged() { journalctl -u tracer-agent -o cat --no-pager | grep -q -- "$1"; }
# await TEXT COMMAND...: until the command succeeds, for two minutes.
await() {
	what=$1 tries=0
	shift
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 240 ] || { echo "timeout: $what"; return; }
		sleep 0.5
	done
}
answers() { web get "http://127.0.0.1:$1/up" >/dev/null 2>&1; }
main_pid() { systemctl show -P MainPID tracer-agent; }

ip link set lo up 2>/dev/null
section installing
dpkg -i /agent.deb
section installed
systemctl is-enabled tracer-agent
systemctl is-active tracer-agent

cat >/etc/tracer-agent/config.yaml <<EOF
instrument: [{units: ["web", "la*"]}]
export: {stdout: json}
log: {level: debug}
EOF
systemctl start web other
systemctl enable --now tracer-agent
await "the agent traces" logged "capabilities dropped"
section enabled
systemctl is-enabled tracer-agent
systemctl is-active tracer-agent

await "web answers" answers 8081
await "other answers" answers 8082
web get http://127.0.0.1:8081/before
web get http://127.0.0.1:8082/neighbour
systemctl restart web
await "web answers again" answers 8081
web get http://127.0.0.1:8081/after
systemctl start late
await "late answers" answers 8083
web get http://127.0.0.1:8083/late
for path in before after late; do
	await "a span of /$path" logged "\"/$path\""
done
section status
grep -E '^(Cap|Uid|NoNewPrivs|Seccomp)' "/proc/$(main_pid)/status"
section confined
journalctl -u tracer-agent -o cat --no-pager | grep -iE 'level=(WARN|ERROR)' | grep -v 'no probes in Go programs' || echo "no capability error"
section score
systemd-analyze security --no-pager tracer-agent.service | tail -n 1
section memory
systemctl show -p MemoryCurrent tracer-agent

section reloaded
first=$(main_pid)
sed -i 's/"la\*"/"la*", "other"/' /etc/tracer-agent/config.yaml
systemctl reload tracer-agent
traced_now() { web get http://127.0.0.1:8082/reloaded >/dev/null && logged '"/reloaded"'; }
await "other is traced" traced_now
logged '"/reloaded"' && echo "traced after reload"
[ "$first" = "$(main_pid)" ] && echo "same process"

dpkg -i /agent.deb >/dev/null
section upgraded
await "the agent is active again" systemctl is-active -q tracer-agent
systemctl is-active tracer-agent
[ "$first" = "$(main_pid)" ] || echo "another process"
section log
journalctl -u tracer-agent -o cat --no-pager
section neighbours
logged '"/neighbour"' && echo "traced" || echo "not traced"

cp /etc/tracer-agent/config.yaml /good.yaml
echo 'instrument: [{prots: ["8080"]}]' >/etc/tracer-agent/config.yaml
systemctl restart tracer-agent
await "the agent has failed" systemctl is-failed -q tracer-agent
section mistaken
systemctl is-active tracer-agent
systemctl show -p ExecMainStatus -p NRestarts tracer-agent
cp /good.yaml /etc/tracer-agent/config.yaml
systemctl start tracer-agent

dpkg -r tracer-agent
section removed
systemctl is-active tracer-agent
systemctl cat tracer-agent >/dev/null 2>&1 || echo "no unit"
[ -e /etc/tracer-agent/config.yaml ] && echo "configuration kept"
dpkg -P tracer-agent
section purged
find / -xdev -name '*tracer-agent*' ! -path '/var/log/*' ! -path '/proc/*' ! -path '/sys/*' ! -path '/run/*' ! -path '/tmp/*' ! -path '/var/tmp/*' ! -path '/var/cache/*' | grep . || echo "nothing left"
section end
sync
echo b >/proc/sysrq-trigger
