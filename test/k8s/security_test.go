// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A cgroup that is named like that of a selected pod selects nothing, wherever
// somebody may have made it: within another container, in a user's session,
// next to the kubelet's.
func TestForgedCgroupNames(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", nil)
	victim := c.pod("shop", "cart", podOptions{})
	shop := victim.serve(t, "127.0.77.1")
	mallory := c.pod("bank", "mallory", podOptions{})
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, shop, 5*time.Second)
	own := systemdPath(mallory.uid, newContainerID())
	for i, cgroup := range []string{
		own + "/" + systemdPath(victim.uid, shop.id),
		own + "/cri-containerd-" + shop.id + ".scope",
		own + "/" + cgroupfsPath(victim.uid, shop.id),
		"user.slice/user-1000.slice/user@1000.service/app.slice/" + systemdPath(victim.uid, shop.id),
		"system.slice/evil.service/" + cgroupfsPath(victim.uid, shop.id),
		"evil/kubepods/pod" + victim.uid + "/" + shop.id,
		"kubepods-evil.slice/kubepods-besteffort-pod" + strings.ReplaceAll(victim.uid, "-", "_") + ".slice/cri-containerd-" + shop.id + ".scope",
		"docker/" + shop.id + "/" + systemdPath(victim.uid, shop.id),
		"kubepods.slice/../evil.slice/kubepods/pod" + victim.uid, // cleaned by the file system
	} {
		s := run(t, cgroup, "server", "127.0.0.1:0")
		get(t, fmt.Sprintf("%s/forged-%d", s.url, i))
		a.flushed(t, shop)
		if n := len(a.spans(fmt.Sprintf("/forged-%d", i))); n > 0 {
			t.Errorf("%s: traced as the victim", cgroup)
		}
		s.Kill()
	}
}

// A process that is in a selected pod by one name of its cgroup and made a
// further one below stays what it is: its spans tell its own pod.
func TestNestedCgroupKeepsItsPod(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", map[string]string{"tracing": "enabled"})
	victim := c.pod("bank", "ledger", podOptions{})
	own := c.pod("shop", "cart", podOptions{})
	id := newContainerID()
	s := run(t, systemdPath(own.uid, id)+"/"+systemdPath(victim.uid, newContainerID()), "server", "127.0.0.1:0")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, s, 5*time.Second)
	get(t, s.url+"/nested")
	span := a.span(t, "/nested")
	if span.Resource["k8s.pod.name"] != "cart" || span.Resource["k8s.namespace.name"] != "shop" || span.Resource["container.id"] != id {
		t.Errorf("a process in a pod gave itself out as %v of %v", span.Resource["k8s.pod.name"], span.Resource["k8s.namespace.name"])
	}
}

// What a container makes of names and links does not select it: the executable
// is the one that the kernel runs, not a link to it or the name it is called by.
func TestSymlinksDoNotSelect(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	chosen, other := filepath.Join(dir, "chosen"), filepath.Join(dir, "other")
	for _, name := range []string{chosen, other} {
		if err := copyFile(self, name); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "sub", "chosen")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, c.agentConfig("instrument: [{namespaces: [shop], exe: [\"**/chosen\"]}]\n")).ready(t)
	p := c.pod("shop", "cart", podOptions{})
	p.status("127.0.77.1", newContainerID())
	real := runExe(t, chosen, systemdPath(p.uid, newContainerID()), "server", "127.0.0.1:0")
	a.traced(t, real, 5*time.Second)
	linked := runExe(t, link, systemdPath(p.uid, newContainerID()), "server", "127.0.0.1:0")
	get(t, linked.url+"/linked")
	a.flushed(t, real)
	if len(a.spans("/linked")) > 0 {
		t.Error("a link named like the selected executable selected another one")
	}
}

// A process id that a selected container's process had means nothing once
// another process has it.
func TestProcessIDsAreNotBelieved(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	witness := c.pod("shop", "witness", podOptions{}).serve(t, "127.0.77.2")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, shop, 5*time.Second)
	a.traced(t, witness, 5*time.Second)
	pid := shop.PID()
	shop.Kill()
	reused := false
	for range 50 { // other processes may take the number first
		if os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(fmt.Sprint(pid-1)), 0) != nil {
			break
		}
		s := run(t, "not-a-pod", "server", "127.0.0.1:0")
		if s.PID() == pid {
			reused = true
			get(t, s.url+"/reused")
			break
		}
		s.Kill()
	}
	if !reused {
		t.Skip("this kernel does not let the test choose a process id (CONFIG_CHECKPOINT_RESTORE)")
	}
	a.flushed(t, witness)
	if len(a.spans("/reused")) > 0 {
		t.Error("a process is traced by the id of one that had been selected")
	}
}

// A container with the host's process ids is judged by its own pod, like any
// other, whatever it sees in /proc.
func TestHostPIDContainer(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("tools", nil)
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	// All containers of these tests have the host's process ids: that is the case here.
	tool := c.pod("tools", "debugger", podOptions{}).serve(t, "127.0.77.2")
	enabled := c.pod("shop", "debugger", podOptions{}).client(t, "127.0.77.3")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, shop, 5*time.Second)
	get(t, tool.url+"/tool")
	enabled.get(t, tool.url+"/asked-by-enabled")
	span := a.span(t, "/asked-by-enabled")
	if span.Resource["k8s.pod.name"] != "debugger" || span.Resource["k8s.namespace.name"] != "shop" {
		t.Errorf("the client's span is of %v in %v", span.Resource["k8s.pod.name"], span.Resource["k8s.namespace.name"])
	}
	a.flushed(t, shop)
	if n := len(a.spans("/asked-by-enabled")); n != 1 {
		t.Errorf("%d spans of a request of which one end is enabled, want the client's", n)
	}
	if len(a.spans("/tool")) > 0 {
		t.Error("a container of a disabled namespace is traced")
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
