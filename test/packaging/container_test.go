// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// podman runs containers whose state lies where the agent looks for names, in the
// mount namespace of the tests: nothing of the machine's own podman is touched.
type podman struct {
	root string // file system of the containers
}

// newPodman prepares the tests' mount namespace: a cgroup v2 hierarchy where
// podman and the agent look for it, and an empty place for podman's state.
func newPodman(t *testing.T) *podman {
	t.Helper()
	const cgroups, state, run = "/sys/fs/cgroup", "/var/lib/containers", "/run/containers"
	if out, err := exec.Command("stat", "-f", "-c", "%T", cgroups).Output(); err != nil || strings.TrimSpace(string(out)) != "cgroup2fs" {
		command(t, "mount", "-t", "cgroup2", "none", cgroups)
		t.Cleanup(func() { command(t, "umount", cgroups) })
	}
	for _, dir := range []string{state, run} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, "mount", "-t", "tmpfs", "none", dir)
		t.Cleanup(func() { command(t, "umount", "-l", dir) })
	}
	p := &podman{root: t.TempDir()}
	command(t, "cp", suite.Program("web"), p.root+"/web")
	before := cgroupDirs()
	t.Cleanup(func() { // crun and podman leave the directories of containers and monitors that end
		suite.Poll(t, patience, "podman's cgroups are empty and removed", func() bool {
			left := slices.DeleteFunc(cgroupDirs(), func(dir string) bool {
				return slices.Contains(before, dir) || os.Remove(dir) == nil
			})
			return len(left) == 0
		})
	})
	return p
}

// cgroupDirs are podman's cgroups, the innermost first.
func cgroupDirs() []string {
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/libpod_parent/*", "/sys/fs/cgroup/libpod_parent"} {
		dirs, _ := filepath.Glob(pattern) // the pattern is well-formed
		for _, dir := range dirs {
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				found = append(found, dir)
			}
		}
	}
	return found
}

func (p *podman) command(args ...string) *exec.Cmd {
	return exec.Command("podman", append([]string{"--cgroup-manager", "cgroupfs", "--runtime", suite.Program("runtime")}, args...)...)
}

func (p *podman) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serve starts a container of this name with the test service.
func (p *podman) serve(t *testing.T, name, addr string) {
	t.Helper()
	p.do(t, "run", "-d", "--name", name, "--network", "host", "--rootfs", p.root, "/web", "serve", addr)
	t.Cleanup(func() { p.do(t, "rm", "-f", "-t", "1", name) })
	awaitListener(t, addr)
}

// A container is selected by its name, whether it was there before the agent or
// comes later, and its neighbour is not.
func TestContainerByName(t *testing.T) {
	p := newPodman(t)
	before, after, neighbour := freeAddr(t), freeAddr(t), freeAddr(t)
	p.serve(t, "shop", before)
	p.serve(t, "bank", neighbour)
	agent := startAgent(t, agentBinary(t), `instrument: [{containers: ["shop", "shop-later"]}]`)
	p.serve(t, "shop-later", after)
	get(t, neighbour, "/neighbour")
	get(t, before, "/before")
	agent.sees(t, "/before")
	get(t, after, "/after")
	agent.sees(t, "/after")
	if err := agent.end(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	if strings.Contains(agent.Out.String(), `"/neighbour"`) {
		t.Errorf("a container that was not selected was traced:\n%s", suite.Tail(agent.Out.String(), 4000))
	}
}

// The image as a runtime runs it: what it prints, that it can trace the host, and
// that the capabilities that docs/install.md names are enough.
func TestImageRuns(t *testing.T) {
	p := newPodman(t)
	archive := artifact(t, "tracer-agent-*-image.tar")
	p.do(t, "pull", "oci-archive:"+archive)
	image := "localhost/tracer-agent:" + strings.TrimSuffix(strings.TrimPrefix(filepath.Base(archive), "tracer-agent-"), "-image.tar")
	if out := p.do(t, "run", "--rm", "--network", "none", image, "version"); !strings.Contains(out, "BPF ABI") {
		t.Errorf("version printed %s", out)
	}
	addr := freeAddr(t)
	serve(t, addr, 54321)
	_, port, _ := strings.Cut(addr, ":")
	agent := start(t, p.command("run", "--rm", "--name", "agent", "--network", "host", "--pid", "host", "--read-only",
		"--cap-drop=all", "--cap-add=bpf,perfmon,sys_ptrace,dac_read_search", "--security-opt", "seccomp=unconfined",
		image, "run", "--port", port, "--stdout", "json", "--log-level", "debug"))
	suite.Poll(t, patience, "the agent is ready", func() bool { return strings.Contains(agent.Out.String(), "capabilities dropped") })
	get(t, addr, "/from-a-container")
	agent.sees(t, "/from-a-container")
	pid, err := strconv.Atoi(strings.TrimSpace(p.do(t, "inspect", "-f", "{{.State.Pid}}", "agent")))
	if err != nil {
		t.Fatal(err)
	}
	checkDropped(t, pid, bpf|perfmon)
	p.do(t, "stop", "-t", "10", "agent")
	<-agent.Exited() // podman's own exit code may tell of the signal
}
