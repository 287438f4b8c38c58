// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bytes"
	"testing"
	"time"
)

const byLabel = `
instrument:
  - namespace_labels: {tracing: enabled}
exclude:
  - namespaces: [kube-system]
  - pod_annotations: {tracer-agent/instrument: "false"}
`

// A label selects within two seconds, its removal ends that at once, and what is
// not selected leaves no span.
func TestNamespaceLabelFlips(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", nil)
	c.namespace("bank", map[string]string{"tracing": "enabled"})
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	bank := c.pod("bank", "ledger", podOptions{}).serve(t, "127.0.77.2")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, bank, 5*time.Second)
	between := "canary" + newContainerID()[:16]
	get(t, shop.url+"/before")
	a.flushed(t, bank)
	for range 3 {
		c.label("shop", "tracing", "enabled")
		if took := a.traced(t, shop, 5*time.Second); took > 2*time.Second {
			t.Errorf("a labelled namespace was traced after %s", took)
		}
		unlabelled := time.Now()
		c.label("shop", "tracing", nil)
		a.selected(t, 1)
		if took := time.Since(unlabelled); took > 2*time.Second {
			t.Errorf("a namespace was captured %s after it lost its label", took)
		}
		post(t, shop.url, between)
		a.flushed(t, bank)
	}
	if len(a.spans("/before"))+len(a.spans("/"+between)) > 0 || bytes.Contains(a.Memory(t), []byte(between)) {
		t.Error("there are spans or bytes of a namespace that was not enabled")
	}
	a.stop(t)
}

// What a pod itself says, and the name of its namespace, select as live as the
// labels of the namespace do.
func TestPodLabelFlips(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("team-red", nil)
	c.namespace("bank", nil)
	red := c.pod("team-red", "red", podOptions{}).serve(t, "127.0.77.1")
	part := c.pod("team-red", "part", podOptions{})
	blue := part.serve(t, "127.0.77.2")
	bank := c.pod("bank", "part", podOptions{labels: map[string]string{"part": "yes"}}).serve(t, "127.0.77.3")
	a := startAgent(t, c.agentConfig(`
instrument:
  - {namespaces: ["team-*"], pod_labels: {part: "yes"}}
  - {namespaces: [team-red], pod_annotations: {mesh: "on"}}
exclude:
  - pod_annotations: {tracer-agent/instrument: "false"}
`)).ready(t)
	red2 := c.pod("team-red", "witness", podOptions{annotations: map[string]string{"mesh": "on"}}).serve(t, "127.0.77.4")
	a.traced(t, red2, 5*time.Second)
	for i, change := range []struct {
		what   object
		traced bool
	}{
		{object{"labels": object{"part": "yes"}}, true},
		{object{"annotations": object{"tracer-agent/instrument": "false"}}, false},
		{object{"annotations": object{"tracer-agent/instrument": nil}}, true},
		{object{"labels": object{"part": "no"}}, false},
	} {
		part.patch(object{"metadata": change.what})
		if change.traced {
			if took := a.traced(t, blue, 5*time.Second); took > 2*time.Second {
				t.Errorf("change %d took effect after %s", i, took)
			}
			continue
		}
		a.selected(t, 1)
		get(t, blue.url+"/off")
		get(t, red.url+"/off")
		get(t, bank.url+"/off")
		a.flushed(t, red2)
	}
	if len(a.spans("/off")) > 0 {
		t.Error("there are spans of pods that were not selected")
	}
}
