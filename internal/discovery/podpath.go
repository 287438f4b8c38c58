// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// podPaths finds pods in cgroup paths. A path counts only where the kubelet
// makes its cgroups: directly below the root that pid 1 shows. Whoever may make
// cgroups somewhere else, such as a user in a delegated session or a container
// within its own cgroup, cannot take the name of a pod.
type podPaths struct {
	roots map[string]cgroupPath // of pid 1, by hierarchy
}

// cgroupPath is a path of /proc/PID/cgroup. Seen from a cgroup namespace of its
// own, as in a container, it begins with as many ".." as there are levels up to
// the common ancestor, whose own name is not shown.
type cgroupPath struct {
	ups   int
	names []string
}

func splitCgroupPath(path string) cgroupPath {
	var p cgroupPath
	for name := range strings.SplitSeq(path, "/") {
		switch {
		case name == "" || name == ".":
		case name == ".." && len(p.names) == 0:
			p.ups++
		default:
			p.names = append(p.names, name)
		}
	}
	return p
}

// hierarchy names the hierarchy of a line: "" is v2.
func hierarchy(line procfs.Cgroup) string {
	if line.HierarchyID == 0 {
		return ""
	}
	return strings.Join(line.Controllers, ",")
}

// newPodPaths takes the lines of pid 1. Without them a root is taken for "/".
func newPodPaths(init []procfs.Cgroup) podPaths {
	roots := map[string]cgroupPath{}
	for _, line := range init {
		root := splitCgroupPath(line.Path)
		if n := len(root.names); n > 0 && root.names[n-1] == "init.scope" { // systemd puts itself there
			root.names = root.names[:n-1]
		}
		roots[hierarchy(line)] = root
	}
	return podPaths{roots: roots}
}

// podRef is what the cgroup paths of a process say of its pod.
type podRef struct {
	uid       string
	container string // id; "" if it is not in one of the pod's containers
	// contradictory: the hierarchies name different pods or containers. It is
	// not known which the process is in.
	contradictory bool
}

// of returns the pod that the lines of one process name, nil if none.
func (f podPaths) of(lines []procfs.Cgroup) *podRef {
	var found *podRef
	for _, line := range lines {
		uid, container, ok := f.parse(hierarchy(line), line.Path)
		switch {
		case !ok:
		case found == nil:
			found = &podRef{uid: uid, container: container}
		case found.uid != uid || found.container != "" && container != "" && found.container != container:
			found.contradictory = true
		case found.container == "":
			found.container = container // systemd leaves processes of v1's devices hierarchy in the pod's slice
		}
	}
	return found
}

// parse takes a path of a hierarchy apart:
//
//	[root of pid 1]/[kubelet]/kubepods/burstable/pod<uid>/<id>                  (cgroupfs)
//	[root of pid 1]/kubepods.slice/kubepods-burstable.slice/
//	    kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope             (systemd)
func (f podPaths) parse(hierarchy, path string) (uid, container string, ok bool) {
	p, root := splitCgroupPath(path), f.roots[hierarchy]
	names := p.names
	switch {
	case p.ups == root.ups:
		if len(names) < len(root.names) || !slices.Equal(names[:len(root.names)], root.names) {
			return "", "", false
		}
		names, ok = skipKubepods(names[len(root.names):])
	case p.ups < root.ups:
		// The levels that are not shown are the agent's own too, and it was put there by the kubelet.
		ok = true
		if rest, whole := skipKubepods(names); whole {
			names = rest
		}
	}
	if !ok || len(names) == 0 {
		return "", "", false
	}
	if isQOS(names[0]) && len(names) > 1 {
		names = names[1:]
	}
	if uid = podUID(names[0]); uid == "" {
		return "", "", false
	}
	if len(names) > 1 {
		prefix, id := splitContainerID(strings.TrimSuffix(names[1], ".scope"))
		if !strings.Contains(prefix, "conmon") { // CRI-O's monitor, with conmon_cgroup = "pod"
			container = id
		}
	}
	return uid, container, true
}

// skipKubepods steps over the cgroup of all pods. With --cgroup-root, as some
// clusters in containers have it, one level is above, named kubelet.
func skipKubepods(names []string) ([]string, bool) {
	if len(names) > 1 && (names[0] == "kubelet" && names[1] == "kubepods" || names[0] == "kubelet.slice" && names[1] == "kubelet-kubepods.slice") {
		return names[2:], true
	}
	if len(names) > 0 && (names[0] == "kubepods" || names[0] == "kubepods.slice") {
		return names[1:], true
	}
	return names, false
}

// isQOS tells whether a component is the cgroup of a quality-of-service class.
func isQOS(name string) bool {
	if slice, ok := strings.CutSuffix(name, ".slice"); ok {
		slice = strings.TrimPrefix(slice, "kubelet-")
		return slice == "kubepods-burstable" || slice == "kubepods-besteffort"
	}
	return name == "burstable" || name == "besteffort"
}

// podUID takes the UID out of the name of a pod's cgroup, "" if it is none.
// Static pods, whose UID is a hash that the API does not know them by, are none.
func podUID(name string) string {
	if slice, ok := strings.CutSuffix(name, ".slice"); ok {
		slice = strings.TrimPrefix(slice, "kubelet-")
		rest, ok := strings.CutPrefix(slice, "kubepods-")
		if !ok {
			return ""
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "burstable-"), "besteffort-")
		name = strings.ReplaceAll(rest, "_", "-")
	}
	uid, ok := strings.CutPrefix(name, "pod")
	if !ok || !isUUID(uid) {
		return ""
	}
	return uid
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
