#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutation.sh [-only TEXT]: are changes of head detection, position arithmetic,
# selection test and gap handling noticed? The whole run's table goes into
# docs/testing.md.
set -eu
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- -doc docs/testing.md
exec "${GO:-go}" run ./test/mutation "$@" .
