# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of this folder: where things are, and small functions.
# Kernels and root disks are kept in the user's cache, for every checkout; jobs, logs
# and results in .cache/vm of this one (git-ignored). Removing a folder starts afresh.

set -eu
REPO_DIR=$(cd "$(dirname "$(readlink -f "$0")")" && git rev-parse --show-toplevel)
VM_DIR=$REPO_DIR/test/vm
VM_CACHE=${VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tracer-agent/vm}
VM_OUT=$REPO_DIR/.cache/vm
mkdir -p "$VM_CACHE" "$VM_OUT"

# say TEXT: progress goes to stderr, because stdout carries results.
say() { echo "vm: $*" >&2; }

# die TEXT: the same, and the end.
die() { say "$*"; exit 1; }

# need COMMAND PACKAGE ...: installs the packages whose command is absent.
need() {
	need_missing=
	while [ $# -gt 1 ]; do
		command -v "$1" >/dev/null || need_missing="$need_missing $2"
		shift 2
	done
	[ -z "$need_missing" ] && return 0
	say "installing$need_missing"
	# shellcheck disable=SC2086 # a list of package names
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $need_missing >/dev/null 2>&1 ||
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $need_missing >/dev/null; } ||
		die "cannot install$need_missing"
}

# arch_of KERNEL: amd64, unless its name says arm64. VM_ARCH tells it of a path.
arch_of() {
	case $1 in
	*-arm64) echo arm64 ;;
	*) echo "${VM_ARCH:-amd64}" ;;
	esac
}

# debian_mirror: the Debian mirror this machine's apt is set up with.
debian_mirror() {
	debian_uri() { apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' | head -n 1; }
	[ -n "$(debian_uri)" ] || apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 # lists tell labels
	[ -n "$(debian_uri)" ] || die "apt knows no Debian mirror: add one to its sources"
	debian_uri
}

# apt_suite SUITE ARCH COMMAND...: runs an apt command that knows SUITE and ARCH
# only. It has lists and caches of its own, so that the machine's package state is
# not touched.
apt_suite() {
	apt_state=$VM_CACHE/apt/$1-$2
	mkdir -p "$apt_state/lists/partial" "$apt_state/archives/partial"
	if [ ! -s "$apt_state/sources.list" ]; then
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg target=Packages] $(debian_mirror) $1 main" >"$apt_state/sources.list"
	fi
	apt_arch=$2 apt_cmd=$3
	shift 3
	"$apt_cmd" -q -o APT::Architecture="$apt_arch" -o APT::Architectures="$apt_arch" -o Dir::Etc::SourceList="$apt_state/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State::Lists="$apt_state/lists" -o Dir::Cache="$apt_state" \
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o APT::Update::Post-Invoke-Success= "$@"
}
