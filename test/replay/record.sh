#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# record.sh [KERNEL BACKEND]: makes the recordings of test/replay/testdata anew, and
# their golden spans: on this machine by each backend that works here, or, with
# arguments, in a virtual machine. Root. Read the difference before you commit it.
set -eu
cd "$(dirname "$0")/../.."
data=test/replay/testdata
mkdir -p "$data"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # architecture
	GOARCH=$1 CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=recording' -o "$work/tracer-agent" ./cmd/tracer-agent
	GOARCH=$1 CGO_ENABLED=0 go build -trimpath -o "$work/traffic" ./test/replay/traffic
}

if [ $# = 2 ]; then
	case $1 in *-arm64) build arm64 ;; *) build amd64 ;; esac
	AGENT_BIN=$work/tracer-agent test/vm/guest.sh "$1" "$work/out" "exec ./traffic ./tracer-agent $2 /out/recording" "$work/traffic" >&2
	cp "$work/out/files/recording" "$data/debian-$1-$2.rec"
else
	build "$(go env GOARCH)"
	for backend in fentry sock-tracepoint syscall-tracepoint; do
		if "$work/tracer-agent" check | grep -q "^backend $backend  *yes"; then
			rm -f "$work/recording"
			# recordings do not tell which machine they are from
			unshare --mount --uts sh -euc '
				hostname recording
				mount --bind "$1" /opt
				for id in /etc/machine-id /var/lib/dbus/machine-id; do
					[ ! -e $id ] || mount --bind /dev/null $id
				done
				exec /opt/traffic /opt/tracer-agent "$2" /opt/recording
			' sh "$work" "$backend"
			cp "$work/recording" "$data/here-$backend.rec"
		fi
	done
fi
chmod 644 "$data"/*.rec
go test ./internal/agent -run '^TestReplay' -update
