#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# node.sh DIR: a whole Kubernetes node in the mount and network namespace that it
# is started in ("unshare -m -n"): etcd, control plane, containerd, kubelet,
# kube-proxy. DIR/images/*.tar are loaded. It makes DIR/ready when the node is
# ready, and stays. Whoever starts it does so in a cgroup of its own, and ends it by
# ending what is in there, then what is below kubepods: shims of containers outlive
# containerd, and whatever is asked to end in order may wait for what is gone already.
# K8S_BIN holds the Kubernetes binaries; the interface k8s0 must appear. Where systemd
# runs it manages the cgroups, as it does on users' nodes.
set -eu
dir=$1 ip=10.99.0.2
driver=cgroupfs systemd=false
[ ! -d /run/systemd/system ] || driver=systemd systemd=true
mkdir -p "$dir/log" "$dir/pki"
bg() {
	local name=$1
	shift
	"$@" >"$dir/log/$name.log" 2>&1 </dev/null &
}
until_ok() { until "$@" >/dev/null 2>&1; do sleep 0.2; done; }

# --- a tree of mounts of its own
mount --make-rshared /
for d in /run/netns /run/containerd /var/lib/cni /etc/cni/net.d /var/lib/kubelet /var/log/pods /var/log/containers; do
	mkdir -p "$d"
	mount -t tmpfs tmpfs "$d"
done
# kubelet would set these for the whole machine: it gets files instead.
for setting in vm/overcommit_memory:1 kernel/panic:10 kernel/panic_on_oops:1; do
	file=/run/containerd/$(basename "${setting%:*}")
	echo "${setting#*:}" >"$file"
	mount --bind "$file" "/proc/sys/${setting%:*}"
done
ip link set lo up
until ip link show k8s0 >/dev/null 2>&1; do sleep 0.05; done
ip addr add $ip/24 dev k8s0
ip link set k8s0 up
ip route add default via 10.99.0.1
echo 1 >/proc/sys/net/ipv4/ip_forward

# --- keys, and kubeconfigs with static tokens
cd "$dir/pki"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=test-ca 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver 2>/dev/null
openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out api.crt 2>/dev/null \
	-extfile <(echo "subjectAltName=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1,IP:$ip")
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
user() { # NAME USER GROUP
	echo "$1-token,$2,$1,\"$3\"" >>tokens.csv
	cat >"$1.kubeconfig" <<-END
		{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
		users: [{name: u, user: {token: $1-token}}],
		clusters: [{name: c, cluster: {server: "https://$ip:6443", certificate-authority: $dir/pki/ca.crt}}]}
	END
}
user admin admin system:masters
user kcm system:kube-controller-manager ''
user scheduler system:kube-scheduler ''
user proxy system:kube-proxy ''
user node system:node:node1 system:nodes

# --- control plane
pki=$dir/pki
bg etcd etcd --data-dir "$dir/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
bg apiserver "$K8S_BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --advertise-address=$ip --secure-port=6443 \
	--tls-cert-file="$pki/api.crt" --tls-private-key-file="$pki/api.key" --client-ca-file="$pki/ca.crt" --token-auth-file="$pki/tokens.csv" \
	--authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --service-cluster-ip-range=10.96.0.0/16 --allow-privileged=true \
	--service-account-issuer=https://issuer.example --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
kubectl="kubectl --kubeconfig $pki/admin.kubeconfig"
until_ok $kubectl get --raw /readyz
bg kcm "$K8S_BIN/kube-controller-manager" --kubeconfig="$pki/kcm.kubeconfig" --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
	--use-service-account-credentials --leader-elect=false --allocate-node-cidrs=false --authentication-kubeconfig="$pki/kcm.kubeconfig" --authorization-kubeconfig="$pki/kcm.kubeconfig"
bg scheduler "$K8S_BIN/kube-scheduler" --kubeconfig="$pki/scheduler.kubeconfig" --leader-elect=false \
	--authentication-kubeconfig="$pki/scheduler.kubeconfig" --authorization-kubeconfig="$pki/scheduler.kubeconfig"

# --- node
cat >/etc/cni/net.d/10-bridge.conflist <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
cat >"$dir/containerd.toml" <<END
version = 2
root = "$dir/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = $systemd
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
END
bg containerd containerd -c "$dir/containerd.toml"
ctr="ctr -a /run/containerd/containerd.sock -n k8s.io"
until_ok $ctr version
for image in "$dir"/images/*.tar; do $ctr images import "$image" >/dev/null; done
cat >"$dir/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: $driver
failCgroupV1: false
failSwapOn: false
resolvConf: ""
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: "100Mi"}
END
bg kubelet "$K8S_BIN/kubelet" --config="$dir/kubelet.yaml" --kubeconfig="$pki/node.kubeconfig" --hostname-override=node1 --node-ip=$ip --cert-dir="$dir/kubelet"
bg proxy "$K8S_BIN/kube-proxy" --kubeconfig="$pki/proxy.kubeconfig" --hostname-override=node1 --proxy-mode=iptables --conntrack-max-per-core=0
until $kubectl get node node1 2>/dev/null | grep -q ' Ready'; do sleep 0.2; done
until_ok $kubectl get serviceaccount default
touch "$dir/ready"
wait
