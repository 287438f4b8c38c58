// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// Size of the cluster, and what the agent may take of the machine's memory in it.
const (
	clusterPods     = 10000
	clusterServices = 500
	memoryLimit     = 60 << 20
)

// fill makes pods like those of a large cluster, all on other nodes.
func (c *controlPlane) fill(t *testing.T) {
	t.Helper()
	env := make([]object, 30)
	for i := range env {
		env[i] = object{"name": fmt.Sprintf("SOME_SETTING_%d", i), "value": strings.Repeat("v", 40)}
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < clusterPods; i += 4 {
				status, answer := c.try(http.MethodPost, "/api/v1/namespaces/big/pods", object{
					"metadata": object{"name": fmt.Sprintf("service-%d-7d9f8b6c5d-%05d", i%clusterServices, i),
						"labels":          object{"app.kubernetes.io/name": fmt.Sprintf("service-%d", i%clusterServices), "pod-template-hash": "7d9f8b6c5d", "team": "x"},
						"annotations":     object{"checksum/config": strings.Repeat("0123456789abcdef", 4), "prometheus.io/scrape": "true"},
						"ownerReferences": []object{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": fmt.Sprintf("service-%d-7d9f8b6c5d", i%clusterServices), "uid": "00000000-0000-0000-0000-000000000001", "controller": true}}},
					"spec": object{"nodeName": fmt.Sprintf("other-%d", i%100), "containers": []object{{"name": "app", "image": "registry.example/team/app:1.2.3", "env": env}}},
				}, "")
				if status/100 != 2 {
					t.Errorf("make pod %d: %d %s", i, status, suite.Tail(string(answer), 300))
					return
				}
				name := fmt.Sprintf("service-%d-7d9f8b6c5d-%05d", i%clusterServices, i)
				ip := fmt.Sprintf("10.%d.%d.%d", 100+i>>16, i>>8&255, i&255)
				c.try(http.MethodPatch, "/api/v1/namespaces/big/pods/"+name+"/status", object{"status": object{"phase": "Running", "podIP": ip, "podIPs": []object{{"ip": ip}}}}, mergePatch)
			}
		})
	}
	wg.Wait()
	for i := range clusterServices {
		c.do(http.MethodPost, "/api/v1/namespaces/big/services", object{
			"metadata": object{"name": fmt.Sprintf("service-%d", i)}, "spec": object{"ports": []object{{"port": 80}}}}, "")
	}
}

// resident returns the resident memory of the agent, and what of it is not a file's.
func (a *agent) resident(t *testing.T) (all, anonymous int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &all)
		fmt.Sscanf(line, "RssAnon: %d kB", &anonymous)
	}
	return all << 10, anonymous << 10
}

// In a cluster of 10,000 pods the agent stays small, also while it reads them
// all and while they change.
func TestTenThousandPods(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("big", nil)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	small := startAgent(t, c.agentConfig(byLabel)).ready(t)
	small.traced(t, shop, 5*time.Second)
	before, _ := small.resident(t)
	small.stop(t)
	c.fill(t)
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	peak := 0
	watch := func() {
		all, _ := a.resident(t)
		peak = max(peak, all)
	}
	suite.Poll(t, time.Minute, "all addresses are known", func() bool {
		watch()
		return a.metric(t, "kubernetes_peer_addresses") >= clusterPods+clusterServices
	})
	for i := range 2000 {
		name := fmt.Sprintf("service-%d-7d9f8b6c5d-%05d", i%clusterServices, i)
		c.do(http.MethodPatch, "/api/v1/namespaces/big/pods/"+name, object{"metadata": object{"labels": object{"touched": "yes"}}}, mergePatch)
		watch()
	}
	a.traced(t, shop, 5*time.Second)
	watch()
	all, anonymous := a.resident(t)
	t.Logf("resident memory: %.1f MiB without pods, %.1f MiB with %d (%.1f MiB of it not of files), %.1f MiB at most",
		mib(before), mib(all), clusterPods, mib(anonymous), mib(peak))
	if peak > memoryLimit {
		t.Errorf("resident memory reached %.1f MiB, more than %.1f MiB", mib(peak), mib(memoryLimit))
	}
}

func mib(n int) float64 { return float64(n) / (1 << 20) }
