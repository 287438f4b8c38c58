// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// A resource tells the pod, its owners, its container and what labels and
// annotations say.
func TestResourceAttributes(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.do(http.MethodPost, "/apis/batch/v1/namespaces/shop/jobs", object{
		"metadata": object{"name": "report-29000000", "ownerReferences": []object{{"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": "00000000-0000-0000-0000-000000000002", "controller": true}}},
		"spec":     object{"template": object{"spec": object{"restartPolicy": "Never", "containers": []object{{"name": "app", "image": "x"}}}}},
	}, "")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	tests := []struct {
		name string
		o    podOptions
		want map[string]string
	}{
		{"cart-5d9c7f6b8-x2k4q", podOptions{owner: "ReplicaSet/cart-5d9c7f6b8", labels: map[string]string{"pod-template-hash": "5d9c7f6b8"}},
			map[string]string{"service.name": "cart", "k8s.deployment.name": "cart", "k8s.replicaset.name": "cart-5d9c7f6b8"}},
		{"bare-x2k4q", podOptions{owner: "ReplicaSet/bare-x2"},
			map[string]string{"service.name": "bare-x2", "k8s.replicaset.name": "bare-x2", "k8s.deployment.name": ""}},
		{"db-0", podOptions{owner: "StatefulSet/db"}, map[string]string{"service.name": "db", "k8s.statefulset.name": "db"}},
		{"log-abcde", podOptions{owner: "DaemonSet/log"}, map[string]string{"service.name": "log", "k8s.daemonset.name": "log"}},
		{"report-29000000-abcde", podOptions{owner: "Job/report-29000000"},
			map[string]string{"service.name": "report", "k8s.job.name": "report-29000000", "k8s.cronjob.name": "report"}},
		{"labelled", podOptions{labels: map[string]string{"app.kubernetes.io/name": "n", "app.kubernetes.io/instance": "i", "app.kubernetes.io/version": "v1"}},
			map[string]string{"service.name": "i", "service.version": "v1"}},
		{"annotated", podOptions{labels: map[string]string{"app.kubernetes.io/name": "n"}, annotations: map[string]string{
			"resource.opentelemetry.io/service.name": "said", "resource.opentelemetry.io/team": "blue", "resource.opentelemetry.io/k8s.namespace.name": "lie"}},
			map[string]string{"service.name": "said", "team": "blue", "k8s.namespace.name": "shop"}},
	}
	for i, tt := range tests {
		p := c.pod("shop", tt.name, tt.o)
		s := p.serve(t, "127.0.77."+string(rune('1'+i)))
		want := map[string]string{
			"k8s.pod.name": tt.name, "k8s.pod.uid": p.uid, "k8s.node.name": nodeName, "k8s.namespace.name": "shop", "service.namespace": "shop",
			"container.id": s.id, "k8s.container.name": "app", "container.image.name": "registry.example/shop/app",
			"container.runtime.name": "containerd", "k8s.pod.start_time": "2026-01-02T03:04:05Z",
		}
		for key, value := range tt.want {
			want[key] = value
		}
		var wrong []string
		t.Cleanup(func() {
			if len(wrong) > 0 {
				t.Errorf("%s: %s", tt.name, strings.Join(wrong, " "))
			}
		})
		suite.Poll(t, 5*time.Second, tt.name+" has its attributes", func() bool {
			get(t, s.url+"/"+tt.name)
			wrong = nil
			spans := a.spans("/" + tt.name)
			if len(spans) == 0 {
				return false
			}
			for key, value := range want {
				if got, _ := spans[len(spans)-1].Resource[key].(string); got != value {
					wrong = append(wrong, key+"="+got)
				}
			}
			return len(wrong) == 0
		})
		s.Kill()
	}
}

// Workloads select by owner, also by one that has to be asked for.
func TestWorkloads(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", nil)
	c.do(http.MethodPost, "/apis/batch/v1/namespaces/shop/jobs", object{
		"metadata": object{"name": "report-1", "ownerReferences": []object{{"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": "00000000-0000-0000-0000-000000000002", "controller": true}}},
		"spec":     object{"template": object{"spec": object{"restartPolicy": "Never", "containers": []object{{"name": "app", "image": "x"}}}}},
	}, "")
	a := startAgent(t, c.agentConfig("instrument: [{workloads: [deployment/cart, \"cronjob/rep*\"]}]\n")).ready(t)
	cart := c.pod("shop", "cart-1-a", podOptions{owner: "ReplicaSet/cart-1", labels: map[string]string{"pod-template-hash": "1"}}).serve(t, "127.0.77.1")
	report := c.pod("shop", "report-1-a", podOptions{owner: "Job/report-1"}).serve(t, "127.0.77.2")
	other := c.pod("shop", "cartoon-1-a", podOptions{owner: "ReplicaSet/cartoon-1", labels: map[string]string{"pod-template-hash": "1"}}).serve(t, "127.0.77.3")
	a.traced(t, report, 5*time.Second)
	a.traced(t, cart, 5*time.Second)
	get(t, other.url+"/other")
	a.flushed(t, cart)
	if len(a.spans("/other")) > 0 {
		t.Error("another deployment is traced")
	}
}

// The other end of a connection is named if it is a pod or a Service.
func TestPeers(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", nil)
	ledger := c.pod("bank", "ledger-7-x", podOptions{owner: "ReplicaSet/ledger-7", labels: map[string]string{"pod-template-hash": "7"}, node: "node2"}).serve(t, "127.0.77.9")
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	cart := c.pod("shop", "cart", podOptions{}).client(t, "127.0.77.1")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	suite.Poll(t, 5*time.Second, "the addresses are known", func() bool { return a.metric(t, "kubernetes_peer_addresses") >= 2 })
	cart.get(t, ledger.url+"/by-address")
	s := a.span(t, "/by-address")
	for key, want := range map[string]string{
		"server.address": "ledger-7-x.bank", "service.peer.name": "ledger", "service.peer.namespace": "bank",
		"tracer_agent.peer.k8s.pod.name": "ledger-7-x", "tracer_agent.peer.k8s.namespace.name": "bank", "tracer_agent.peer.k8s.deployment.name": "ledger",
		"network.peer.address": "127.0.77.9",
	} {
		if got := s.Str(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	plain := run(t, "not-a-pod-"+hostname, "server", "127.0.0.1:0")
	cart.get(t, plain.url+"/unknown-peer")
	if s := a.span(t, "/unknown-peer"); s.Has("service.peer.name") || s.Str("server.address") != "127.0.0.1" {
		t.Errorf("an address that belongs to nothing is named: %s", s.String())
	}
}

// Spans of a pod that is gone from the API and the machine have its metadata.
func TestDeadPodKeepsItsMetadata(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", map[string]string{"tracing": "enabled"})
	p := c.pod("shop", "short", podOptions{})
	s := p.serve(t, "127.0.77.1")
	bank := c.pod("bank", "b", podOptions{}).serve(t, "127.0.77.2")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, s, 5*time.Second)
	a.traced(t, bank, 5*time.Second)
	a.sink.Fail(1 << 20)
	get(t, s.url+"/last")
	s.Kill()
	p.delete()
	suite.Poll(t, 5*time.Second, "the pod is gone", func() bool { return a.metric(t, "kubernetes_pods") == 1 })
	a.sink.Fail(0)
	if got := a.span(t, "/last").Resource["k8s.pod.name"]; got != "short" {
		t.Errorf("the last span's pod is %v", got)
	}
	// And they are not sent once the namespace of the dead pod is disabled.
	p = c.pod("shop", "short2", podOptions{})
	s = p.serve(t, "127.0.77.1")
	a.traced(t, s, 5*time.Second)
	a.sink.Fail(1 << 20)
	get(t, s.url+"/unsaid")
	suite.Poll(t, 5*time.Second, "the span waits", func() bool { return a.metric(t, "queue_spans") >= 1 })
	s.Kill()
	p.delete()
	suite.Poll(t, 5*time.Second, "the pod is gone", func() bool { return a.metric(t, "kubernetes_pods") == 1 })
	c.label("shop", "tracing", nil)
	suite.Poll(t, 5*time.Second, "the span of the dead pod is dropped", func() bool {
		a.sink.Fail(1)
		return a.metric(t, `spans_dropped_total{reason="deselected"}`) >= 1
	})
	a.sink.Fail(0)
	a.flushed(t, bank)
	if len(a.spans("/unsaid")) > 0 {
		t.Error("a span of a dead pod was sent though its namespace had been disabled")
	}
}
