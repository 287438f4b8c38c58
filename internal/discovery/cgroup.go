// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"path"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// containerIDLen is the length of an OCI runtime's container id, hex digits.
const containerIDLen = 64

// container is the container a cgroup path names.
type container struct {
	id      string // 64 hex digits, "" if in no container
	runtime string // "docker" or "podman" if the path tells, else ""
	payload bool   // the container is a systemd service's main process (podman's libpod-payload)
	claimed bool   // a user's service manager or another container named it, or made it up
	index   int    // of the component, counted from the root
}

// cgroup is what a process's cgroup paths tell.
type cgroup struct {
	v2        string   // path in the v2 hierarchy, "" if there is none
	units     []string // of the system's systemd, the outermost first
	claimed   []string // units that a user's service manager or a container named, or made up
	service   string   // the service unit that names the workload, "" if none
	container container
	inner     []container // what that container named, or made up
	pod       *podRef     // nil: in no pod
}

// parseCgroup judges the lines of /proc/PID/cgroup. Units stand in the v2 or
// the name=systemd hierarchy; a container may be named in any.
func parseCgroup(lines []procfs.Cgroup) cgroup {
	var cg cgroup
	var named, others []string
	for _, line := range lines {
		switch {
		case line.HierarchyID == 0:
			cg.v2 = line.Path
			named = slices.Insert(named, 0, line.Path)
		case slices.Contains(line.Controllers, "name=systemd"):
			named = append(named, line.Path)
		default:
			others = append(others, line.Path)
		}
	}
	for _, p := range named {
		cg.addUnits(p)
	}
	for _, p := range append(named, others...) {
		if found := containersOf(p); cg.container.id == "" && len(found) > 0 {
			cg.container, cg.inner = found[0], found[1:]
		}
	}
	for _, p := range named {
		if cg.service == "" {
			cg.service = serviceOf(p)
		}
	}
	return cg
}

// addUnits adds the units of a path. What is below a container or a user's service
// manager others have named, at will: they do not speak for the system.
func (cg *cgroup) addUnits(cgroupPath string) {
	c := containerOf(cgroupPath)
	to := &cg.units
	for i, name := range components(cgroupPath) {
		if c.id != "" && i > c.index {
			to = &cg.claimed
		}
		if isUnit(name) && !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
		if isUserManager(name) {
			to = &cg.claimed
		}
	}
}

// isUserManager tells whether a unit is the service manager of a user.
func isUserManager(name string) bool {
	return strings.HasPrefix(name, "user@") && strings.HasSuffix(name, ".service")
}

// components splits a cgroup path. Seen from another cgroup namespace it
// starts with "..": what is above the common ancestor is not shown.
func components(cgroupPath string) []string {
	return strings.FieldsFunc(path.Clean("/"+cgroupPath), func(r rune) bool { return r == '/' })
}

func isUnit(name string) bool {
	for _, suffix := range []string{".service", ".scope", ".slice"} {
		if strings.HasSuffix(name, suffix) && len(name) > len(suffix) {
			return true
		}
	}
	return false
}

// serviceOf returns the innermost service unit that the workload is, not one
// that merely runs it: a container runtime's unit or a user's service manager.
func serviceOf(cgroupPath string) string {
	parts := components(cgroupPath)
	c := containerOf(cgroupPath)
	for i, name := range slices.Backward(parts) {
		if !isUnit(name) || !strings.HasSuffix(name, ".service") || isUserManager(name) {
			continue
		}
		if c.id == "" || i > c.index || c.payload {
			return name
		}
	}
	return ""
}

// containerOf finds the outermost container that a path names.
func containerOf(cgroupPath string) container {
	if found := containersOf(cgroupPath); len(found) > 0 {
		return found[0]
	}
	return container{}
}

// containersOf finds the components that name a container, the outermost first.
func containersOf(cgroupPath string) []container {
	var found []container
	parts := components(cgroupPath)
	claimed := false
	for i, name := range parts {
		claimed = claimed || isUserManager(name)
		prefix, id := splitContainerID(strings.TrimSuffix(name, ".scope"))
		if id == "" || strings.Contains(prefix, "conmon") {
			continue
		}
		c := container{id: id, index: i, payload: prefix == "libpod-payload", claimed: claimed}
		switch {
		case prefix == "docker" || prefix == "" && i > 0 && parts[i-1] == "docker":
			c.runtime = "docker"
		case strings.HasPrefix(prefix, "libpod"):
			c.runtime = "podman"
		}
		found = append(found, c)
		claimed = true
	}
	return found
}

// splitContainerID splits "cri-containerd-<64 hex>" into prefix and id. The
// separator is a dash, or a colon where runc was given a systemd-style path
// without its systemd driver. Pods ("libpod_pod_<64 hex>") are not containers.
func splitContainerID(name string) (prefix, id string) {
	if len(name) < containerIDLen {
		return "", ""
	}
	prefix, id = name[:len(name)-containerIDLen], name[len(name)-containerIDLen:]
	if strings.Trim(id, "0123456789abcdef") != "" {
		return "", ""
	}
	if prefix == "" {
		return "", id
	}
	if i := strings.LastIndexByte(prefix, ':'); i >= 0 {
		prefix = prefix[i+1:]
		if prefix == "" {
			return "", id
		}
	} else if !strings.HasSuffix(prefix, "-") {
		return "", ""
	}
	return strings.TrimSuffix(prefix, "-"), id
}
