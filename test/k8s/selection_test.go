// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
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
	get(t, shop.url+"/before")
	a.flushed(t, bank)
	for range 3 {
		c.label("shop", "tracing", "enabled")
		if took := a.traced(t, shop, 5*time.Second); took > 2*time.Second {
			t.Errorf("a labelled namespace was traced after %s", took)
		}
		c.label("shop", "tracing", nil)
		a.selected(t, 1)
		get(t, shop.url+"/between")
		a.flushed(t, bank)
	}
	if len(a.spans("/before"))+len(a.spans("/between")) > 0 {
		t.Error("there are spans of a namespace that was not enabled")
	}
	a.stop(t)
}
