// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// nodeName is the node that the pods of the tests are on.
const nodeName = "node1"

// pod is a Pod object that a test wrote.
type pod struct {
	c               *controlPlane
	namespace, name string
	uid             string
}

// podOptions say what is not usual about a pod.
type podOptions struct {
	labels, annotations map[string]string
	owner               string // Kind/name of its controller
	node                string // default nodeName
}

// pod makes a Pod object.
func (c *controlPlane) pod(namespace, name string, o podOptions) *pod {
	c.t.Helper()
	if o.node == "" {
		o.node = nodeName
	}
	meta := object{"name": name, "labels": o.labels, "annotations": o.annotations}
	if kind, owner, ok := strings.Cut(o.owner, "/"); ok {
		meta["ownerReferences"] = []object{{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": "00000000-0000-0000-0000-000000000001", "controller": true}}
	}
	made := c.do(http.MethodPost, "/api/v1/namespaces/"+namespace+"/pods", object{
		"metadata": meta,
		"spec":     object{"nodeName": o.node, "containers": []object{{"name": "app", "image": "registry.example/shop/app:1.2"}}},
	}, "")
	uid, _ := made["metadata"].(object)["uid"].(string)
	return &pod{c: c, namespace: namespace, name: name, uid: uid}
}

func (p *pod) path() string { return "/api/v1/namespaces/" + p.namespace + "/pods/" + p.name }

// status writes what the kubelet would: address and container.
func (p *pod) status(ip, container string) {
	p.c.t.Helper()
	p.c.do(http.MethodPatch, p.path()+"/status", object{"status": object{
		"phase": "Running", "startTime": "2026-01-02T03:04:05Z", "podIP": ip, "podIPs": []object{{"ip": ip}}, "hostIP": "10.0.0.1",
		"containerStatuses": []object{{"name": "app", "image": "registry.example/shop/app:1.2", "imageID": "", "ready": true, "restartCount": 3,
			"containerID": "containerd://" + container, "state": object{"running": object{"startedAt": "2026-01-02T03:04:05Z"}}}},
	}}, mergePatch)
}

func (p *pod) patch(change object) {
	p.c.t.Helper()
	p.c.do(http.MethodPatch, p.path(), change, mergePatch)
}

func (p *pod) delete() {
	p.c.t.Helper()
	p.c.do(http.MethodDelete, p.path(), object{"gracePeriodSeconds": 0}, "")
}

func newContainerID() string {
	var id [32]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// systemdPath and cgroupfsPath name the cgroup of a container as containerd does
// with the one and the other driver.
func systemdPath(uid, container string) string {
	slice := "kubepods-besteffort-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
	return "kubepods.slice/kubepods-besteffort.slice/" + slice + "/cri-containerd-" + container + ".scope"
}

func cgroupfsPath(uid, container string) string {
	return "kubepods/burstable/pod" + uid + "/" + container
}

// container is a program in a cgroup.
type container struct {
	*suite.Process
	id    string
	url   string // of a server
	in    io.WriteCloser
	lines *bufio.Reader // what it prints
}

// run starts the test binary in a role, in a cgroup from its first instruction.
func run(t *testing.T, cgroup, role string, args ...string) *container {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return runExe(t, self, cgroup, role, args...)
}

func runExe(t *testing.T, exe, cgroup, role string, args ...string) *container {
	t.Helper()
	c := &container{}
	cmd := exec.Command(exe, args...)
	cmd.Env = []string{roleEnv + "=" + role}
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	c.Process = startIn(t, cgroup, role+" in "+cgroup, cmd)
	w.Close()
	t.Cleanup(func() { out.Close() })
	c.lines = bufio.NewReader(out)
	if role == "server" {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("server in %s: %v", cgroup, err)
		}
		c.url = "http://" + strings.TrimSpace(line)
	}
	return c
}

// serve runs a server in a container of the pod and tells the API its address.
func (p *pod) serve(t *testing.T, addr string) *container {
	t.Helper()
	id := newContainerID()
	c := run(t, systemdPath(p.uid, id), "server", addr+":0")
	c.id = id
	p.status(addr, id)
	return c
}

// client runs a client in a container of the pod.
func (p *pod) client(t *testing.T, addr string) *container {
	t.Helper()
	id := newContainerID()
	c := run(t, systemdPath(p.uid, id), "client")
	c.id = id
	p.status(addr, id)
	return c
}

// get has a client ask for a URL.
func (c *container) get(t *testing.T, url string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, url); err != nil {
		t.Fatal(err)
	}
	line, err := c.lines.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "200" {
		t.Fatalf("client got %q, %v", line, err)
	}
}
