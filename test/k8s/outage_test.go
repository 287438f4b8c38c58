// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// While the API server has not been reached nothing in a pod is selected, and
// everything that is to be once it has.
func TestAPIServerComesLate(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	config := c.agentConfig(byLabel)
	c.stopAPI()
	a := startAgent(t, config)
	canary := "canary" + newContainerID()[:16]
	for range 20 {
		post(t, shop.url, canary)
	}
	if a.isReady() {
		t.Error("the agent is ready though it knows nothing of the cluster")
	}
	if n := a.metric(t, `processes{verdict="selected"}`) + a.metric(t, "cgroups_selected"); n != 0 {
		t.Errorf("%v processes and cgroups are selected without an API server", n)
	}
	if bytes.Contains(a.Memory(t), []byte(canary)) {
		t.Error("bytes of a pod that is not known left the kernel")
	}
	c.startAPI()
	a.ready(t)
	a.traced(t, shop, 10*time.Second)
	if len(a.spans("/"+canary)) > 0 {
		t.Error("there is a span from before the API server was reached")
	}
}

// When the API server goes away what is selected stays so and nothing new is
// selected; what changed meanwhile takes effect when it is back.
func TestAPIServerGoesAway(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", map[string]string{"tracing": "enabled"})
	late := c.pod("shop", "late", podOptions{node: "node2"}) // known to the API, not to this node
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	bank := c.pod("bank", "ledger", podOptions{}).serve(t, "127.0.77.2")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, shop, 5*time.Second)
	a.traced(t, bank, 5*time.Second)
	c.stopAPI()
	suite.Poll(t, 10*time.Second, "no watch is open", func() bool { return a.metric(t, "kubernetes_watches") == 0 })
	a.traced(t, shop, time.Second)
	stranger := run(t, systemdPath(late.uid, newContainerID()), "server", "127.0.77.3:0")
	get(t, stranger.url+"/unknown-pod")
	a.flushed(t, shop)
	c.startAPI()
	c.label("bank", "tracing", nil)
	a.selected(t, 1)
	get(t, bank.url+"/unlabelled")
	a.flushed(t, shop)
	for _, path := range []string{"/unknown-pod", "/unlabelled"} {
		if len(a.spans(path)) > 0 {
			t.Errorf("there is a span of %s", path)
		}
	}
}

// A watch that cannot go on because the API server has forgotten its state is
// followed by a new list: what was missed takes effect.
func TestWatchGap(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", nil)
	c.namespace("gone", map[string]string{"tracing": "enabled"})
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	bank := c.pod("bank", "ledger", podOptions{}).serve(t, "127.0.77.2")
	deleted := c.pod("gone", "old", podOptions{})
	gone := deleted.serve(t, "127.0.77.3")
	config := c.agentConfig(byLabel)
	front := newFront(t, c)
	a := startAgent(t, strings.Replace(config, c.kubeconfig(agentToken), front.kubeconfig(), 1)).ready(t)
	a.traced(t, shop, 5*time.Second)
	a.traced(t, gone, 5*time.Second)
	lists := a.metric(t, "kubernetes_lists_total")

	front.cut() // the agent alone loses its connections
	c.label("shop", "tracing", nil)
	c.label("bank", "tracing", "enabled")
	deleted.delete()
	for range 30 { // so that the watch cache has moved on
		c.label("gone", "n", newContainerID()[:8])
	}
	c.compact()
	c.stopAPI() // its watch cache is gone, too
	c.startAPI()
	front.mend()

	a.traced(t, bank, 15*time.Second)
	a.selected(t, 1)
	get(t, shop.url+"/gap")
	get(t, gone.url+"/gap")
	a.flushed(t, bank)
	if n := len(a.spans("/gap")); n > 0 {
		t.Errorf("%d spans of what was unlabelled or deleted during the gap", n)
	}
	if a.metric(t, "kubernetes_lists_total") <= lists {
		t.Error("there was no new list, so this was no gap")
	}
}

// compact makes etcd forget everything but the newest state.
func (c *controlPlane) compact() {
	c.t.Helper()
	etcd := "http://127.0.0.1:" + c.etcdPort
	resp, err := http.Post(etcd+"/v3/kv/range", "application/json", strings.NewReader(`{"key": "AA=="}`))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	answer.ReadFrom(resp.Body)
	_, rest, ok := strings.Cut(answer.String(), `"revision":"`)
	revision, _, _ := strings.Cut(rest, `"`)
	if !ok {
		c.t.Fatalf("etcd answered %s", answer.String())
	}
	resp, err = http.Post(etcd+"/v3/kv/compaction", "application/json", strings.NewReader(`{"revision": "`+revision+`", "physical": true}`))
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("compact etcd at revision %s: %v %v", revision, resp, err)
	}
	resp.Body.Close()
}
