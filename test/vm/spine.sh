#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# spine.sh KERNEL [BACKEND]: the agent's main job on a stock kernel. nginx and
# Python's http.server get requests by curl; exactly their spans must come out,
# with method, path, status and parent right, and none of a third server. Prints
# PASS or FAIL; logs are in .cache/vm/out.
. "$(dirname "$(readlink -f "$0")")/env.sh"
[ $# -ge 1 ] || die "usage: spine.sh KERNEL [BACKEND]"
backend=${2:-auto}
exec "$VM_DIR/guest.sh" "$1" "$VM_CACHE/out/spine-$(basename "$1")-$backend" \
	"exec python3 spine.py ./tracer-agent $backend" "$VM_DIR/spine/spine.py"
