#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# job.sh ARCH DIR: builds what guest.sh runs on that architecture into DIR.
. "$(dirname "$(readlink -f "$0")")/../env.sh"
[ $# = 2 ] || die "usage: job.sh ARCH DIR"
job=$2
cd "$REPO_DIR"
export GOARCH=$1 CGO_ENABLED=0
mkdir -p "$job/bin" "$job/integration" "$job/harm"
chmod 755 "$job" # servers that are not root look for files below it
git describe --always --dirty >"$job/commit" # what is tested, whatever is committed meanwhile
go build -trimpath -ldflags "-s -w" -o "$job/bin/" ./cmd/tracer-agent ./test/integration/cmd/... ./test/vm/uring
go test -c -vet=off -tags integration -o "$job/integration/it.test" ./test/integration
go test -c -vet=off -tags integration -o "$job/probes.test" ./probes
go test -c -vet=off -tags integration -o "$job/harm/harm.test" ./test/harm
cp -r test/integration/testdata "$job/integration/"
cp -r test/harm/testdata "$job/harm/"
cp test/vm/uring/uring-guest.sh test/vm/matrix/guest.sh "$job/"
