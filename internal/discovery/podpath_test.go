// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"strings"
	"testing"

	"github.com/prometheus/procfs"
)

const (
	podA  = "0b0c7c7e-1111-4222-8333-444455556666"
	podA_ = "0b0c7c7e_1111_4222_8333_444455556666"
	idC   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func v2(path string) []procfs.Cgroup { return []procfs.Cgroup{{HierarchyID: 0, Path: path}} }

func TestPodPaths(t *testing.T) {
	const (
		container = podA + " " + idC
		noPod     = "-"
	)
	slice := "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podA_ + ".slice"
	tests := []struct{ name, init, path, want string }{
		{"cgroupfs", "/", "/kubepods/burstable/pod" + podA + "/" + idC, container},
		{"cgroupfs, guaranteed", "/", "/kubepods/pod" + podA + "/" + idC, container},
		{"cgroupfs, cri-o", "/", "/kubepods/besteffort/pod" + podA + "/crio-" + idC, container},
		{"systemd", "/init.scope", slice + "/cri-containerd-" + idC + ".scope", container},
		{"systemd, guaranteed", "/init.scope", "/kubepods.slice/kubepods-pod" + podA_ + ".slice/cri-containerd-" + idC + ".scope", container},
		{"systemd, cri-o with crun", "/init.scope", slice + "/crio-" + idC + ".scope/container", container},
		{"systemd, docker", "/init.scope", slice + "/docker-" + idC + ".scope", container},
		{"cri-o's monitor in its pod", "/init.scope", slice + "/crio-conmon-" + idC + ".scope", podA + " "},
		{"the pod's own cgroup", "/", "/kubepods/burstable/pod" + podA, podA + " "},
		{"a node in a container", "/docker/x/init.scope", "/docker/x/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + podA_ + ".slice/cri-containerd-" + idC + ".scope", container},
		{"a node in a container, cgroupfs", "/docker/x", "/docker/x/kubelet/kubepods/burstable/pod" + podA + "/" + idC, container},
		{"own namespace, whole way", "/../../../../init.scope", "/../../../.." + slice + "/cri-containerd-" + idC + ".scope", container},
		{"own namespace, same class", "/../../../../init.scope", "/../../kubepods-burstable-pod" + podA_ + ".slice/cri-containerd-" + idC + ".scope", container},
		{"own namespace, other class", "/../../../../init.scope", "/../../../kubepods-besteffort.slice/kubepods-besteffort-pod" + podA_ + ".slice/cri-containerd-" + idC + ".scope", container},
		{"nested below a container", "/", "/kubepods/burstable/pod" + podA + "/" + idC + "/kubepods/pod11111111-1111-4222-8333-444455556666/" + strings.Repeat("f", 64), container},

		{"no pod", "/", "/system.slice/nginx.service", noPod},
		{"docker", "/", "/docker/" + idC, noPod},
		{"monitor of cri-o", "/init.scope", "/system.slice/crio-conmon-" + idC + ".scope", noPod},
		{"below a user's session", "/init.scope", "/user.slice/user-1000.slice/user@1000.service" + slice + "/cri-containerd-" + idC + ".scope", noPod},
		{"below a service", "/", "/system.slice/x.service/kubepods/pod" + podA + "/" + idC, noPod},
		{"below a container outside", "/", "/docker/" + idC + "/kubepods/pod" + podA + "/" + idC, noPod},
		{"next to the kubelet's", "/", "/kubepods-x.slice/kubepods-burstable-pod" + podA_ + ".slice/cri-containerd-" + idC + ".scope", noPod},
		{"outside the node's root", "/docker/x", "/kubepods/burstable/pod" + podA + "/" + idC, noPod},
		{"another class twice", "/", "/kubepods/burstable/burstable/pod" + podA + "/" + idC, noPod},
		{"own namespace, a session", "/../../../../init.scope", "/../../../../user.slice" + slice + "/cri-containerd-" + idC + ".scope", noPod},
		{"above the root", "/..", "/../../kubepods/pod" + podA + "/" + idC, noPod},
		{"static pod", "/", "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + idC, noPod},
		{"upper case", "/", "/kubepods/burstable/pod" + strings.ToUpper(podA) + "/" + idC, noPod},
		{"too long", "/", "/kubepods/burstable/pod" + podA + "0/" + idC, noPod},
		{"root", "/", "/", noPod},
		{"empty", "/", "", noPod},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := noPod
			if ref := newPodPaths(v2(tt.init)).of(v2(tt.path)); ref != nil {
				got = ref.uid + " " + ref.container
			}
			if got != tt.want {
				t.Errorf("%s seen from a machine with pid 1 in %s: %q, want %q", tt.path, tt.init, got, tt.want)
			}
		})
	}
}

// The hierarchies of a hybrid machine have to agree.
func TestContradictoryHierarchies(t *testing.T) {
	line := func(id int, controller, path string) procfs.Cgroup {
		return procfs.Cgroup{HierarchyID: id, Controllers: []string{controller}, Path: path}
	}
	paths := newPodPaths([]procfs.Cgroup{line(1, "cpu", "/"), line(2, "memory", "/init.scope"), {Path: "/"}})
	inPod := "/kubepods/pod" + podA + "/" + idC
	podAlone := "/kubepods/pod" + podA
	for _, tt := range []struct {
		lines         []procfs.Cgroup
		contradictory bool
	}{
		{[]procfs.Cgroup{line(1, "cpu", inPod), line(2, "memory", podAlone), {Path: "/"}}, false},
		{[]procfs.Cgroup{line(1, "cpu", podAlone), line(2, "memory", inPod), {Path: "/"}}, false},
		{[]procfs.Cgroup{line(1, "cpu", inPod), line(2, "memory", strings.Replace(podAlone, "0b0c", "ffff", 1))}, true},
		{[]procfs.Cgroup{line(1, "cpu", inPod), line(2, "memory", inPod), {Path: inPod}}, false},
		{[]procfs.Cgroup{line(1, "cpu", inPod), line(2, "memory", "/"), {Path: "/"}}, false},
		{[]procfs.Cgroup{line(1, "cpu", inPod), {Path: strings.Replace(inPod, "0b0c", "ffff", 1)}}, true},
		{[]procfs.Cgroup{line(1, "cpu", inPod), {Path: strings.Replace(inPod, idC, strings.Repeat("f", 64), 1)}}, true},
	} {
		ref := paths.of(tt.lines)
		if ref == nil || ref.uid != podA || ref.container != idC || ref.contradictory != tt.contradictory {
			t.Errorf("%v: %+v, want contradictory %v", tt.lines, ref, tt.contradictory)
		}
	}
}
