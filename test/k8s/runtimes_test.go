// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// engine is a container runtime as some node has it.
type engine struct {
	name   string
	driver string // of cgroups: systemd or cgroupfs
	// start runs the server in a container and returns its id. The parent is the
	// cgroup of a pod; without one the container stands for itself and is named.
	start func(t *testing.T, parent, name, addr string) string
	// pods: it runs containers in pods; alone: others, too.
	pods, alone bool
}

func systemdRuns() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// parentOf is the cgroup of a pod, as the kubelet passes it to a runtime.
func parentOf(driver, uid string) string {
	if driver == "systemd" {
		return "kubepods-besteffort-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
	}
	return "/kubepods/besteffort/pod" + uid
}

// Containers of the runtimes of nodes, by either cgroup driver, belong to their
// pods from their first request, and containers outside of pods have their names.
func TestRuntimes(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", nil)
	a := startAgent(t, c.agentConfig("instrument: [{containers: [named]}, {namespace_labels: {tracing: enabled}}]\n")).ready(t)
	witness := c.pod("shop", "witness", podOptions{}).serve(t, "127.0.88.1")
	a.traced(t, witness, 5*time.Second)
	drivers := []string{"cgroupfs"}
	if systemdRuns() {
		drivers = append(drivers, "systemd")
	}
	pods, addresses := 1, 1
	address := func() string { addresses++; return fmt.Sprintf("127.0.88.%d:8080", addresses) }
	for _, driver := range drivers {
		for _, e := range engines(driver) {
			t.Run(e.name+" "+driver, func(t *testing.T) {
				if e.pods {
					shop, bank := c.pod("shop", e.name+"-"+driver, podOptions{}), c.pod("bank", e.name+"-"+driver, podOptions{})
					pods += 2
					suite.Poll(t, 5*time.Second, "the pods are known", func() bool { return int(a.metric(t, "kubernetes_pods")) >= pods })
					id := a.firstRequest(t, e, parentOf(driver, shop.uid), address(), "/pod-"+shop.uid)
					span := a.span(t, "/pod-"+shop.uid)
					if span.Resource["k8s.pod.name"] != shop.name || span.Resource["container.id"] != id {
						t.Errorf("container %s of %s is %v of %v", id, shop.name, span.Resource["container.id"], span.Resource["k8s.pod.name"])
					}
					a.untraced(t, e, witness, parentOf(driver, bank.uid), "", address())
				}
				if e.alone {
					id := a.firstRequest(t, e, "", address(), "/named-"+e.name+driver)
					if span := a.span(t, "/named-"+e.name+driver); span.Resource["container.id"] != id {
						t.Errorf("container %s is %v", id, span.Resource["container.id"])
					}
					a.untraced(t, e, witness, "", "unnamed", address())
				}
			})
		}
	}
}

// firstRequest starts a container and requires that the first request to it is
// traced. Where processes have to be looked at, on v1, it is some request.
func (a *agent) firstRequest(t *testing.T, e engine, parent, addr, path string) (id string) {
	t.Helper()
	id = e.start(t, parent, "named", addr)
	awaitListener(t, addr)
	t.Logf("%s", cgroupOf(id))
	if !onlyCgroup2() {
		suite.Poll(t, 10*time.Second, "its process is looked at", func() bool {
			get(t, "http://"+addr+"/try")
			for _, s := range a.spans("/try") {
				if s.Resource["container.id"] == id {
					return true
				}
			}
			return false
		})
	}
	get(t, "http://"+addr+path)
	return id
}

// untraced starts a container that is not selected.
func (a *agent) untraced(t *testing.T, e engine, witness *container, parent, name, addr string) {
	t.Helper()
	e.start(t, parent, name, addr)
	awaitListener(t, addr)
	path := "/not-selected-" + addr
	get(t, "http://"+addr+path)
	a.flushed(t, witness)
	if len(a.spans(path)) > 0 {
		t.Errorf("a container that is not selected is traced: %s", path)
	}
}

func awaitListener(t *testing.T, addr string) {
	t.Helper()
	suite.Poll(t, 20*time.Second, addr+" listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// cgroupOf finds the cgroup of a container of which the id is known, for the log.
func cgroupOf(id string) string {
	files, _ := filepath.Glob("/proc/[0-9]*/cgroup") // the pattern is well-formed
	for _, file := range files {
		data, _ := os.ReadFile(file) // of a process that may have ended
		exe, _ := os.Readlink(filepath.Dir(file) + "/exe")
		if exe == "/echo" && strings.Contains(string(data), id) {
			return strings.Join(strings.Fields(string(data)), " ")
		}
	}
	return "no process in container " + id
}

// engines are those that are installed and run with this host's cgroups.
func engines(driver string) []engine {
	list := []engine{crio("runc", driver)}
	if onlyCgroup2() { // it refuses other hosts
		list = append(list, crio("crun", driver))
	}
	if !systemdRuns() { // daemons and their state belong to the host: in a guest alone
		return list
	}
	return append(list, docker(driver), podman(driver))
}

// rootFS makes the file system of a container.
func rootFS(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"proc", "sys", "dev", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyFile(filepath.Join(os.Getenv("K8S_PROGRAMS"), "echo"), dir+"/echo"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// command runs one whose children may stay, and returns what it printed.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out") // a pipe would be waited for until the last of them ends
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, _ := os.ReadFile(out.Name()) // just written
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, text)
	}
	return strings.TrimSpace(string(text))
}

// crio runs containers by an OCI runtime as CRI-O does: there is no package of
// CRI-O itself, but names and cgroupsPath are what it would pass
// (kubepods-….slice:crio:ID, or /kubepods/…/crio-ID).
func crio(program, driver string) engine {
	return engine{name: "crio-" + program, driver: driver, pods: true, start: func(t *testing.T, parent, _, addr string) string {
		t.Helper()
		id, bundle := newContainerID(), t.TempDir()
		path, flags := parent+"/crio-"+id, []string{"--root", t.TempDir()}
		if driver == "systemd" {
			path, flags = parent+":crio:"+id, append(flags, "--systemd-cgroup")
		}
		spec, err := json.Marshal(object{
			"ociVersion": "1.0.2", "root": object{"path": rootFS(t)},
			"process": object{"args": []string{"/echo", addr}, "cwd": "/", "user": object{"uid": 0, "gid": 0}, "env": []string{"PATH=/"}},
			"mounts":  []object{{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}},
			"linux":   object{"cgroupsPath": path, "namespaces": []object{{"type": "mount"}, {"type": "pid"}, {"type": "cgroup"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(bundle+"/config.json", spec, 0o600); err != nil {
			t.Fatal(err)
		}
		command(t, program, append(flags, "run", "--detach", "--bundle", bundle, id)...)
		t.Cleanup(func() {
			command(t, program, append(flags, "delete", "--force", id)...)
			if driver == "cgroupfs" { // of the pod, which the kubelet would remove
				hierarchies, _ := filepath.Glob("/sys/fs/cgroup/*" + parent) // the pattern is well-formed
				for _, dir := range append(hierarchies, "/sys/fs/cgroup"+parent) {
					for os.Remove(dir) == nil {
						dir = filepath.Dir(dir)
					}
				}
			}
		})
		return id
	}}
}

// docker runs a daemon while its test runs.
func docker(driver string) engine {
	running := false
	return engine{name: "docker", driver: driver, pods: true, alone: true, start: func(t *testing.T, parent, name, addr string) string {
		t.Helper()
		if !running {
			running = true
			daemon := start(t, "dockerd", exec.Command("dockerd", "--exec-opt", "native.cgroupdriver="+driver, "--iptables=false", "--ip6tables=false",
				"--bridge=none", "--storage-driver=vfs"))
			t.Cleanup(func() { daemon.Cmd.Process.Signal(syscall.SIGTERM); <-daemon.Exited() })
			suite.Poll(t, time.Minute, "docker answers", func() bool { return exec.Command("docker", "version").Run() == nil })
			tar := t.TempDir() + "/image.tar"
			command(t, "tar", "-C", rootFS(t), "-cf", tar, ".")
			command(t, "docker", "import", tar, "app:1")
		}
		args := []string{"run", "--detach", "--network", "host"}
		if parent != "" {
			args = append(args, "--cgroup-parent", parent)
		} else {
			args = append(args, "--name", name)
		}
		id := command(t, "docker", append(args, "app:1", "/echo", addr)...)
		t.Cleanup(func() { command(t, "docker", "rm", "--force", id) })
		return id
	}}
}

// podman runs containers that stand for themselves.
func podman(driver string) engine {
	return engine{name: "podman", driver: driver, alone: true, start: func(t *testing.T, _, name, addr string) string {
		t.Helper()
		runtime := "crun"
		if !onlyCgroup2() {
			runtime = "runc"
		}
		id := command(t, "podman", "--cgroup-manager", driver, "--runtime", runtime, "run", "--detach", "--network", "host", "--name", name, "--rootfs", rootFS(t), "/echo", addr)
		t.Cleanup(func() { command(t, "podman", "rm", "--force", "--time", "0", id) })
		return id
	}}
}
