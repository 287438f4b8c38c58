#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# uring.sh KERNEL: a server that moves its bytes by io_uring is traced by fentry,
# every request with its status. Prints PASS or FAIL.
. "$(dirname "$(readlink -f "$0")")/env.sh"
[ $# -eq 1 ] || die "usage: uring.sh KERNEL"
server=$(mktemp -d)
trap 'rm -rf "$server"' EXIT
(cd "$REPO_DIR" && CGO_ENABLED=0 go build -o "$server/uring" ./test/vm/uring) || die "the server does not build"
"$VM_DIR/guest.sh" "$1" "$VM_CACHE/out/uring-$(basename "$1")" "exec sh uring-guest.sh" "$server/uring" "$VM_DIR/uring/uring-guest.sh"
