// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// node is a real one: kubelet, containerd, scheduler and the rest, in namespaces
// of their own.
type node struct {
	t    *testing.T
	dir  string
	main *suite.Process
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir()}
	n.images()
	refuseOtherNode(t)
	cmd := exec.Command("unshare", "-m", "-n", "--propagation", "private", "bash", "node.sh", n.dir)
	cgroup := fmt.Sprintf("tracer-agent-node-%d", os.Getpid())
	n.main = startIn(t, cgroup, "node", cmd)
	t.Cleanup(func() {
		if t.Failed() {
			n.logs()
		}
		n.end(filepath.Join(cgroup2(t), cgroup))
	})
	n.command("ip", "link", "add", "k8sh0", "type", "veth", "peer", "name", "k8s0")
	n.command("ip", "link", "set", "k8s0", "netns", fmt.Sprint(n.main.PID()))
	n.command("ip", "addr", "add", "10.99.0.1/24", "dev", "k8sh0")
	n.command("ip", "link", "set", "k8sh0", "up")
	n.command("ip", "route", "add", "10.244.0.0/24", "via", "10.99.0.2")
	suite.Poll(t, 2*time.Minute, "the node is ready", func() bool {
		if !n.main.Alive() {
			t.Fatalf("the node ended: %s", n.main.Out)
		}
		_, err := os.Stat(n.dir + "/ready")
		return err == nil
	})
	return n
}

// end takes the node down: first everything that could start something, then the
// containers. Mounts, links and addresses go with the namespaces of the processes.
func (n *node) end(cgroup string) {
	n.t.Helper()
	killCgroup(n.t, cgroup)
	<-n.main.Exited()
	for _, dir := range podCgroups(n.t) {
		killCgroup(n.t, dir)
	}
	removeBelow(n.t, "kubepods")
	exec.Command("ip", "link", "del", "k8sh0").Run() // gone with its peer, if the kernel was quick
}

// refuseOtherNode fails if a kubelet has containers here: there is one for each
// kernel, and ending this one's would end the other's.
func refuseOtherNode(t *testing.T) {
	t.Helper()
	for _, dir := range podCgroups(t) {
		if populated(t, dir) {
			t.Fatalf("processes run in %s: there is a node on this machine already", dir)
		}
	}
}

func (n *node) command(name string, args ...string) string {
	n.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (n *node) kubectl(args ...string) string {
	n.t.Helper()
	return n.command("kubectl", append([]string{"--kubeconfig", n.dir + "/pki/admin.kubeconfig"}, args...)...)
}

func (n *node) apply(text string) {
	n.t.Helper()
	file := filepath.Join(n.dir, "apply.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.kubectl("apply", "-f", file)
}

// images are made of the agent, the application, and a program that only waits.
func (n *node) images() {
	n.t.Helper()
	images := n.dir + "/images"
	if err := os.Mkdir(images, 0o755); err != nil {
		n.t.Fatal(err)
	}
	programs := os.Getenv("K8S_PROGRAMS")
	image(n.t, images+"/pause.tar", "localhost/pause:1", programs+"/pause")
	image(n.t, images+"/echo.tar", "localhost/echo:1", programs+"/echo")
	image(n.t, images+"/agent.tar", "localhost/tracer-agent:1", os.Getenv("TRACER_AGENT"))
}

func (n *node) logs() {
	for _, name := range []string{"kubelet", "containerd", "apiserver"} {
		data, _ := os.ReadFile(n.dir + "/log/" + name + ".log") // what there is
		n.t.Logf("%s (its end):\n%s", name, suite.Tail(string(data), 1500))
	}
}

// forward passes connections to an address of the node on to the sink, which
// listens outside.
func (n *node) forward(port, to string) {
	n.t.Helper()
	outside, err := net.Listen("tcp", "10.99.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { outside.Close() })
	go pass(outside, to)
	cmd := exec.Command("nsenter", "-t", fmt.Sprint(n.main.PID()), "-n", "/proc/self/exe")
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	cmd.Args[len(cmd.Args)-1] = self
	cmd.Args = append(cmd.Args, "0.0.0.0:"+port, outside.Addr().String())
	cmd.Env = []string{roleEnv + "=forward", "PATH=" + os.Getenv("PATH")}
	start(n.t, "forwarder", cmd)
}

// pass forwards each connection until the listener is closed.
func pass(l net.Listener, to string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer out.Close()
			go io.Copy(in, out)
			io.Copy(out, in)
		}()
	}
}

const apps = `# pods in two namespaces that talk to each other
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tracing: enabled}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: bank}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {
  metadata: {labels: {app: cart}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: app, image: "localhost/echo:1", imagePullPolicy: Never, args: [":8080"]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.50, selector: {app: cart}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: ledger, namespace: bank}, spec: {selector: {matchLabels: {app: ledger}}, template: {
  metadata: {labels: {app: ledger}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: app, image: "localhost/echo:1", imagePullPolicy: Never, args: [":8080"]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: ledger, namespace: bank}, spec: {clusterIP: 10.96.0.51, selector: {app: ledger}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: teller, namespace: bank}, spec: {terminationGracePeriodSeconds: 0,
  containers: [{name: app, image: "localhost/echo:1", imagePullPolicy: Never, args: ["http://10.96.0.51/secret=CANARY"]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: buyer, namespace: bank}, spec: {terminationGracePeriodSeconds: 0,
  containers: [{name: app, image: "localhost/echo:1", imagePullPolicy: Never, args: ["http://10.96.0.50/from-bank"]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: payer, namespace: shop}, spec: {terminationGracePeriodSeconds: 0,
  containers: [{name: app, image: "localhost/echo:1", imagePullPolicy: Never, args: ["http://10.96.0.51/from-shop"]}]}}
`

// On a real node a DaemonSet from deploy/daemonset.yaml traces the pods of the
// enabled namespace and not one byte of its neighbour; labels flip that. So does the
// privileged variant.
func TestDaemonSetOnANode(t *testing.T) {
	n := newNode(t)
	sink := newSink(t)
	n.forward("4317", strings.TrimPrefix(sink.Endpoint(otlptest.GRPC), "http://"))
	seed := newContainerID()[:16]
	canary := fmt.Sprintf("%x", sha256.Sum256([]byte(seed)))
	n.install(manifest(t))
	n.apply(strings.ReplaceAll(apps, "CANARY", seed))
	for _, d := range []string{"shop/cart", "bank/ledger"} {
		ns, name, _ := strings.Cut(d, "/")
		n.kubectl("-n", ns, "rollout", "status", "deployment/"+name, "--timeout=120s")
		n.kubectl("-n", ns, "wait", "--for=condition=Ready", "pods", "--all", "--timeout=120s")
	}
	a := &agent{sink: sink}
	t.Cleanup(func() {
		if t.Failed() && n.main.Alive() {
			t.Logf("pods:\n%s", n.kubectl("get", "pods", "-A", "-o", "wide"))
			t.Logf("a client:\n%s", suite.Tail(n.kubectl("-n", "bank", "logs", "buyer", "--tail=5"), 1000))
			log := n.command("nsenter", "-t", fmt.Sprint(n.main.PID()), "-m", "sh", "-c", "cat /var/log/pods/tracer-agent_*/*/*.log")
			t.Logf("the agent's log (its end):\n%s", suite.Tail(log, 3000))
		}
	})

	suite.Poll(t, time.Minute, "the Service has its endpoints, and a request its span", func() bool { return len(a.spans("/from-bank")) > 0 })
	server := a.span(t, "/from-bank")
	for key, want := range map[string]string{
		"service.name": "cart", "k8s.namespace.name": "shop", "k8s.deployment.name": "cart", "k8s.container.name": "app", "k8s.node.name": "node1",
	} {
		suite.Poll(t, 10*time.Second, "a span of cart has "+key+"="+want, func() bool {
			spans := a.spans("/from-bank")
			server = spans[len(spans)-1]
			got, _ := server.Resource[key].(string)
			return got == want
		})
	}
	newest := func(path string) otlptest.Span {
		spans := a.spans(path)
		return spans[len(spans)-1]
	}
	suite.Poll(t, 10*time.Second, "the client is named, once its address is known", func() bool {
		s := newest("/from-bank")
		return s.Str("tracer_agent.peer.k8s.pod.name") == "buyer" && s.Str("service.peer.namespace") == "bank"
	})
	a.span(t, "/from-shop")
	suite.Poll(t, 10*time.Second, "the server is named", func() bool {
		s := newest("/from-shop")
		return s.Str("server.address") == "ledger.bank" && s.Resource["k8s.pod.name"] == "payer"
	})

	time1 := time.Now()
	suite.Poll(t, 15*time.Second, "ten more spans", func() bool { return len(a.spans("/from-bank")) >= 10 })
	for _, s := range sink.Spans() {
		if s.Resource["k8s.namespace.name"] != "shop" {
			t.Fatalf("a span of %v, which is not enabled: %s", s.Resource["k8s.namespace.name"], s.String())
		}
	}
	a.Process = n.agentProcess()
	memory := a.Memory(t)
	if !bytes.Contains(memory, []byte("/from-bank")) || bytes.Contains(memory, []byte(canary)) {
		t.Errorf("the agent's memory: enabled traffic in it %v, disabled traffic %v; want true, false",
			bytes.Contains(memory, []byte("/from-bank")), bytes.Contains(memory, []byte(canary)))
	}
	t.Logf("searched %.1f MiB of the agent after %s", mib(len(memory)), time.Since(time1).Round(time.Second))

	n.kubectl("label", "namespace", "bank", "tracing=enabled")
	flipped := time.Now()
	a.span(t, "/"+canary)
	if took := time.Since(flipped); took > 3*time.Second { // half a second between requests, the batch
		t.Errorf("the first span came %s after the label", took)
	}
	n.kubectl("label", "namespace", "bank", "tracing-")
	unlabelled := time.Now()
	a.traceFor(t, "/from-bank", 3*time.Second)
	for _, s := range sink.Spans() {
		if s.Resource["k8s.namespace.name"] == "bank" && s.Start.After(unlabelled.Add(100*time.Millisecond)) {
			t.Errorf("a span of bank %s after it was disabled", s.Start.Sub(unlabelled))
		}
	}

	n.install(kustomize(t, "overlays/privileged"))
	if got := n.kubectl("-n", "tracer-agent", "get", "pods", "--field-selector=status.phase=Running", "-o",
		"jsonpath={.items[*].spec.containers[0].securityContext.privileged}"); got != "true" {
		t.Fatalf("the agent's container is privileged: %q", got)
	}
	a.traceFor(t, "/from-bank", 3*time.Second)
	if s := newest("/from-bank"); s.Resource["k8s.deployment.name"] != "cart" {
		t.Errorf("the privileged agent says %v", s.Resource)
	}
}

// lastingCaps are CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE, all that the agent keeps
// on the kernels that these tests run on, whatever its container has.
const lastingCaps = 1<<2 | 1<<19

// install applies a variant of the manifest and waits until the agent is ready and
// has given up what it does not need any more.
func (n *node) install(text []byte) {
	n.t.Helper()
	n.apply(strings.Replace(string(text), "image: tracer-agent:latest", "image: localhost/tracer-agent:1", 1))
	n.kubectl("-n", "tracer-agent", "rollout", "status", "daemonset/tracer-agent", "--timeout=120s")
	suite.Poll(n.t, 20*time.Second, "the agent has two capabilities", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.agentProcess().PID()))
		_, line, _ := strings.Cut(string(status), "CapEff:")
		var effective uint64
		_, scanned := fmt.Sscanf(line, "%x", &effective)
		return err == nil && scanned == nil && effective == lastingCaps
	})
}

// traceFor waits until spans have come for a time.
func (a *agent) traceFor(t *testing.T, path string, d time.Duration) {
	t.Helper()
	begin := time.Now()
	suite.Poll(t, d+10*time.Second, "spans of "+path+" go on", func() bool {
		spans := a.spans(path)
		return spans[len(spans)-1].Start.Sub(begin) > d
	})
}

// agentProcess finds the agent's process among those of this machine.
func (n *node) agentProcess() *suite.Process {
	n.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		n.t.Fatal(err)
	}
	for _, file := range found {
		data, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(data, []byte("/program\x00run\x00--config\x00")) {
			continue
		}
		var pid int
		fmt.Sscanf(file, "/proc/%d/", &pid)
		p, err := os.FindProcess(pid)
		if err != nil {
			n.t.Fatal(err)
		}
		return &suite.Process{Name: "tracer-agent", Cmd: &exec.Cmd{Process: p}}
	}
	n.t.Fatal("the agent's process is not to be found")
	return nil
}
