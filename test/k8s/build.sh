#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh: static Kubernetes binaries and helm, built through the Go module proxy
# into a cache, whose path is printed. The first time takes minutes.
set -eu
go=${GO:-go}
version=${K8S_VERSION:-1.34.4}
helm=${HELM_VERSION:-3.18.6}
cache=${TRACER_AGENT_K8S_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tracer-agent-k8s}
bin=$cache/bin
src=$cache/src
mkdir -p "$bin" "$src"

# Kubernetes replaces its own modules by local directories. A module that does the
# same with their published versions can be built from the proxy.
module() {
	staging=v0.${version#1.}
	dir=$("$go" mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
	sed -n '/^replace (/q;p' "$dir/go.mod" |
		sed -e 's#^module .*#module kubebuild#' -e "s#\(k8s.io/[a-z-]*\) v0.0.0\( \|\$\)#\1 $staging\2#"
	printf 'require k8s.io/kubernetes v%s\n\nreplace (\n' "$version"
	sed -n '/^replace (/,/^)/s#^\t\(k8s.io/[a-z-]*\) .*#\1#p' "$dir/go.mod" | while read -r m; do
		printf '\t%s => %s %s\n' "$m" "$m" "$staging"
	done
	printf ')\n'
	cp "$dir/go.sum" "$src/go.sum"
}

minor=${version#1.}
minor=${minor%%.*}
flags="-s -w"
for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	flags="$flags -X $p.gitVersion=v$version -X $p.gitMajor=1 -X $p.gitMinor=$minor"
done
for c in kube-apiserver kubelet kube-controller-manager kube-scheduler kube-proxy kubectl; do
	[ ! -x "$bin/$c" ] || continue
	echo "building $c" >&2
	cd "$src"
	[ -s go.mod ] || { module >go.mod.new && mv go.mod.new go.mod; }
	CGO_ENABLED=0 GOFLAGS="-mod=mod -buildvcs=false" "$go" build -ldflags "$flags" -o "$bin/" "k8s.io/kubernetes/cmd/$c"
done
if [ ! -x "$bin/helm" ]; then
	echo "building helm" >&2
	cd "$src" && GOFLAGS= GOBIN="$bin" CGO_ENABLED=0 "$go" install "helm.sh/helm/v3/cmd/helm@v$helm"
fi
echo "$bin"
