#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In the guest: guest.sh verifier|quick|full. Asks the agent which backends this kernel
# takes, lets the verifier see every program, and runs the cases with each backend.
# Prints a line for everything found out (results.go reads them); logs are in /out.
# The exit status says whether all that ran passed.
cd /job/integration || exit 1
export TRACER_TEST_BIN=/job/bin
quick="TestSyscalls TestUnixSockets TestServers"
full="$quick TestFraming TestSockets TestBothEnds TestStartsMidway TestUnselectedNeverSeen TestReverseProxy"
# What programs decide that every backend has: with the first backend only.
once="TestClients TestSelection TestEndingProcess"
few=nginx,node,python
harm=
case $1 in
verifier) cases= once= ;;
quick)
	cases=$quick once=
	export TRACER_TEST_APPS=$few
	;;
full)
	cases=$full harm=yes
	# Java's start is too slow to emulate, a start of Node for each case, too. Other
	# servers make the same system calls: with the first backend.
	export TRACER_TEST_APPS=go,nginx,apache,node,python,gunicorn TRACER_TEST_CLIENTS=curl,go,python
	;;
*) echo "usage: guest.sh verifier|quick|full" >&2 && exit 2 ;;
esac
failed=0

# pattern CASE: what of it runs here. Each way to select needs an agent of its own; most
# of them are decided in user space.
pattern() {
	case $1 in
	TestSelection) echo '^TestSelection$/^(exe_glob|excluded_by_exe|user|unit|another_container)$' ;;
	*) echo "^$1\$" ;;
	esac
}

# run BACKEND CASE COMMAND...: one line of the results.
run() {
	backend=$1 case=$2
	shift 2
	log=/out/$backend-$case.log
	read -r start _ </proc/uptime
	if "$@" >"$log" 2>&1; then
		outcome=pass
		grep -q '^--- SKIP' "$log" && outcome=skip
	else
		outcome=FAIL failed=1
	fi
	read -r end _ </proc/uptime
	echo "case $backend $case $outcome $(awk "BEGIN { print $end - $start }")"
	[ $outcome != FAIL ] || report
}

# report: what a case that failed had to say, in short for the results (main.go), and at length.
report() {
	{ grep -E '^ +[a-z_]+_test\.go:[0-9]+: |^panic: ' "$log" || tail -n 3 "$log"; } | head -n 5 | cut -c1-300 | sed '/^ *$/d; s/^/said /'
	grep -ve '^=== ' -e '--- PASS' "$log" | tail -n 80 | cut -c1-1000 | sed 's/^/  | /'
}

# unharmed BACKEND: applications beside agents that come, go and are killed, some of each,
# with the first backend (make harm-vm: with all, and for longer).
unharmed() (
	cd /job/harm
	HARM_ALONE=1 HARM_TIME=6s HARM_PERIOD=1s HARM_PACE=200ms TRACER_AGENT=/job/bin/tracer-agent exec ./harm.test -test.run "TestHarm/^$1\$" -test.v
)

# quiet: the kernel had nothing to complain of.
quiet() {
	! dmesg | grep -E 'WARNING:|BUG:|Oops|stall|hung task|Call trace|Call Trace'
}

echo "release $(uname -r)"
/job/bin/tracer-agent check >/out/check
grep '^backend ' /out/check | tr -s ' '
VERIFIER_COUNTS=/out/insns run all verifier /job/probes.test -test.run '^(TestVerifier|TestStandInsRunBehind)$' -test.v
cat /out/insns
for backend in $(sed -n 's/^backend \([a-z-]*\)  *yes .*/\1/p' /out/check); do
	for case in $cases $once; do
		TRACER_BACKEND=$backend run "$backend" "$case" ./it.test -test.run "$(pattern "$case")" -test.v
	done
	[ -z "$harm" ] || run "$backend" Harm unharmed "$backend"
	once= harm= TRACER_TEST_APPS=$few
	[ "$backend" != fentry ] || [ -z "$cases" ] || run fentry io_uring sh /job/uring-guest.sh
done
run all kernel-log quiet
exit $failed
