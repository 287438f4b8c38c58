// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// canary is what only the traffic of one namespace carries.
func post(t *testing.T, url, canary string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(url+"/"+canary+"?echo="+canary, "text/plain", strings.NewReader(strings.Repeat(canary+" ", 50)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// Not one byte of a disabled namespace leaves the kernel: neither the rings, which
// are mapped into the agent, nor its memory, output or spans hold any, while pods
// of enabled namespaces come and go next to it.
func TestDisabledNamespaceStaysInTheKernel(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("open", map[string]string{"tracing": "enabled"})
	c.namespace("secret", nil)
	c.namespace("kube-system-like", map[string]string{"tracing": "no"})
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	witness, canary := "witness"+newContainerID()[:16], "canary"+newContainerID()[:16]
	secret := c.pod("secret", "vault", podOptions{}).serve(t, "127.0.78.1")
	excluded := c.pod("open", "quiet", podOptions{annotations: map[string]string{"tracer-agent/instrument": "false"}}).serve(t, "127.0.78.2")
	client := c.pod("secret", "client", podOptions{}).client(t, "127.0.78.3")
	other := c.pod("kube-system-like", "x", podOptions{}).serve(t, "127.0.78.4")
	var last *container
	for i := range 8 {
		open := c.pod("open", fmt.Sprintf("web-%d", i), podOptions{}).serve(t, fmt.Sprintf("127.0.78.%d", 10+i))
		for range 5 {
			post(t, secret.url, canary)
			post(t, excluded.url, canary)
			post(t, other.url, canary)
			client.get(t, secret.url+"/"+canary)
			post(t, open.url, witness)
		}
		last = open
	}
	a.traced(t, last, 10*time.Second) // the agent may hear of a pod after it was asked
	post(t, last.url, witness)
	a.flushed(t, last)
	memory, rings := a.Memory(t), a.Rings(t)
	a.stop(t)
	var spans strings.Builder
	for _, s := range a.sink.Spans() {
		fmt.Fprintln(&spans, s.String(), s.Resource)
	}
	for place, data := range map[string][]byte{"rings": rings, "memory": memory, "output": []byte(a.Out.String()), "spans": []byte(spans.String())} {
		if !bytes.Contains(data, []byte(witness)) {
			t.Errorf("%s: the enabled namespace is not in it, so that the search proves nothing", place)
		}
		if at := bytes.Index(data, []byte(canary)); at >= 0 {
			t.Errorf("%s holds bytes of a disabled namespace: %q", place, data[max(0, at-100):min(len(data), at+100)])
		}
	}
}

// The first request of a container in an enabled namespace is traced, on a
// cgroup v2 hierarchy: its cgroup is selected before its program runs.
func TestFirstRequest(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("open", map[string]string{"tracing": "enabled"})
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	for i := range 10 {
		p := c.pod("open", fmt.Sprintf("web-%d", i), podOptions{})
		suite.Poll(t, 5*time.Second, "the pod is known", func() bool { return int(a.metric(t, "kubernetes_pods")) == i+1 })
		s := run(t, systemdPath(p.uid, newContainerID()), "server", "127.0.0.1:0")
		path := fmt.Sprintf("/first-%d", i)
		get(t, s.url+path)
		a.span(t, path)
	}
}

// Spans that wait to be sent when their namespace is disabled are not sent.
func TestUnlabelDropsWhatIsQueued(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", map[string]string{"tracing": "enabled"})
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	bank := c.pod("bank", "ledger", podOptions{}).serve(t, "127.0.77.2")
	a := startAgent(t, c.agentConfig(byLabel)).ready(t)
	a.traced(t, shop, 5*time.Second)
	a.traced(t, bank, 5*time.Second)
	a.sink.Fail(1 << 20) // no batch is taken
	for i := range 50 {
		get(t, fmt.Sprintf("%s/queued-%d", shop.url, i))
	}
	get(t, bank.url+"/kept")
	suite.Poll(t, 10*time.Second, "the spans wait", func() bool { return a.metric(t, "queue_spans") >= 51 })
	c.label("shop", "tracing", nil)
	a.selected(t, 1)
	a.sink.Fail(0)
	a.span(t, "/kept")
	for _, s := range a.sink.Spans() {
		if strings.HasPrefix(s.Str("url.path"), "/queued-") {
			t.Fatalf("sent though its namespace was disabled: %s", s.String())
		}
	}
	suite.Poll(t, 10*time.Second, "50 spans are counted as deselected", func() bool {
		return a.metric(t, `spans_dropped_total{reason="deselected"}`) == 50
	})
}
