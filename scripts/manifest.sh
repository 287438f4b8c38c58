#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# manifest.sh: prints deploy/daemonset.yaml: the files of the kustomize base, in its order.
set -eu
cd "$(dirname "$0")/../deploy/kustomize/base"
echo "# SPDX-License-Identifier: Apache-2.0"
echo "# Made by scripts/manifest.sh from deploy/kustomize/base: change that, or an overlay."
for file in namespace rbac config daemonset; do
	echo "---"
	grep -v SPDX-License-Identifier $file.yaml
done
