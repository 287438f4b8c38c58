// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// hasCgroup2 finds where the v2 hierarchy is mounted, "" if it is not.
func hasCgroup2() string {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir
		}
	}
	return ""
}

// cgroup2 is where the v2 hierarchy is mounted.
func cgroup2(t *testing.T) string {
	t.Helper()
	dir := hasCgroup2()
	if dir == "" {
		t.Fatal("no cgroup v2 hierarchy is mounted")
	}
	return dir
}

// onlyCgroup2 says that there is no hierarchy but v2.
func onlyCgroup2() bool { return hasCgroup2() == "/sys/fs/cgroup" }

// hierarchies are the mounts that the cgroups of the tests' containers are made in:
// v2, or without one those of v1 that take a process as it is.
func hierarchies(t *testing.T) []string {
	t.Helper()
	if dir := hasCgroup2(); dir != "" {
		return []string{dir}
	}
	found, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, file := range found {
		dir := filepath.Dir(file)
		info, err := os.Lstat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() && !strings.Contains(dir, "cpuset") { // another name of a hierarchy is a link
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// startIn runs cmd as start does, in a cgroup below the hierarchies from its first
// instruction. The cgroup and those above it that are empty go with the test.
func startIn(t *testing.T, cgroup, name string, cmd *exec.Cmd) *suite.Process {
	t.Helper()
	var dirs []string
	for _, top := range hierarchies(t) {
		dir := filepath.Join(top, cgroup)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeCgroups(top, dir) })
		dirs = append(dirs, dir)
	}
	if hasCgroup2() == "" {
		enterFirst(cmd, dirs)
		return start(t, name, cmd)
	}
	dir, err := os.Open(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	return start(t, name, cmd)
}

// enterFirst has a shell go to cgroups and become the program of cmd: v1 has no
// better way.
func enterFirst(cmd *exec.Cmd, dirs []string) {
	cmd.Args = append([]string{"sh", "-c", `for dir in $CGROUPS; do echo $$ >"$dir/cgroup.procs" || exit 1; done; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Environ(), "CGROUPS="+strings.Join(dirs, " "))
}

// removeCgroups removes a directory and those above it that are empty, up to the top.
func removeCgroups(top, dir string) {
	for ; dir != top; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			return
		}
	}
}

// podCgroups are those that a kubelet makes the cgroups of all pods in, by either
// driver, as far as they exist.
func podCgroups(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"kubepods", "kubepods.slice"} {
		dir := filepath.Join(cgroup2(t), name)
		if _, err := os.Stat(dir); err == nil {
			found = append(found, dir)
		}
	}
	return found
}

// populated says whether a process is in a cgroup or below it.
func populated(t *testing.T, cgroup string) bool {
	t.Helper()
	events, err := os.ReadFile(cgroup + "/cgroup.events")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return false // systemd has removed it
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(events), "populated 1")
}

// killCgroup ends every process in a cgroup and below it, whatever it is doing:
// none that is being forked escapes (cgroup.kill, Linux 5.14).
func killCgroup(t *testing.T, cgroup string) {
	t.Helper()
	err := os.WriteFile(cgroup+"/cgroup.kill", []byte("1"), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENODEV) {
		t.Fatal(err)
	}
	suite.Poll(t, time.Minute, "the processes in "+cgroup+" end", func() bool { return !populated(t, cgroup) })
}

// removeBelow removes the empty cgroup of a name, and those in it, from every hierarchy.
func removeBelow(t *testing.T, name string) {
	t.Helper()
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for _, top := range append(hierarchies, "/sys/fs/cgroup/"+name) {
		var dirs []string
		filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) { // the inner ones first
			if err := os.Remove(dir); err != nil {
				t.Errorf("a cgroup of the node is left: %v", err)
			}
		}
	}
}
