// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func podJSON(n int, namespace, node string, more object1) object1 {
	meta := object1{"name": "pod", "namespace": namespace, "uid": uid(n)}
	status := object1{}
	for key, value := range more {
		if key == "podIPs" || key == "containerStatuses" || key == "phase" {
			status[key] = value
		} else {
			meta[key] = value
		}
	}
	return object1{"metadata": meta, "spec": object1{"nodeName": node}, "status": status}
}

func namespaceJSON(name string, labels object1) object1 {
	return object1{"metadata": object1{"name": name, "uid": name, "labels": labels}}
}

// start runs a Cluster of node n1 against the server until the test ends.
func start(t *testing.T, f *fakeAPI, peers bool) *Cluster {
	t.Helper()
	c, err := New(Access{Server: f.URL, Token: "secret"}, Options{Node: "n1", Peers: peers})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

func ready(t *testing.T, c *Cluster) *Cluster {
	t.Helper()
	eventually(t, "it is ready", func() bool {
		select {
		case <-c.Ready():
			return true
		default:
			return false
		}
	})
	return c
}

// Several pages, pods of this node only, nothing before the namespace is known.
func TestPodIsKnownWithItsNamespace(t *testing.T) {
	f := newFakeAPI(t)
	for n := range 5 {
		f.put(podsPath, podJSON(n, "shop", "n1", nil))
	}
	f.put(podsPath, podJSON(9, "shop", "n2", nil))
	c := ready(t, start(t, f, false))
	if p := c.Pod(uid(0)); p != nil {
		t.Fatalf("a pod is known before its namespace: %+v", p)
	}
	f.put(namespacesPath, namespaceJSON("shop", object1{"tracing": "enabled"}))
	eventually(t, "five pods are known", func() bool {
		n := 0
		for i := range 10 {
			if p := c.Pod(uid(i)); p != nil && p.NamespaceLabels["tracing"] == "enabled" {
				n++
			}
		}
		return n == 5
	})
	if c.Pod(uid(9)) != nil {
		t.Error("a pod of another node is known")
	}
	if got := f.count("fieldSelector=spec.nodeName%3Dn1"); got < 4 { // three pages, a watch
		t.Errorf("%d requests for pods, want pages of the node's", got)
	}
}

// Every change is told once, with the UIDs that it is about.
func TestChangesAreTold(t *testing.T) {
	f := newFakeAPI(t)
	f.put(namespacesPath, namespaceJSON("shop", nil))
	f.put(podsPath, podJSON(1, "shop", "n1", nil))
	f.put(podsPath, podJSON(2, "bank", "n1", nil))
	c := ready(t, start(t, f, false))
	told := func(want ...string) {
		t.Helper()
		var got []string
		eventually(t, "told of "+strings.Join(want, " "), func() bool {
			select {
			case <-c.Notify():
				got = append(got, c.Changed()...)
			default:
			}
			slices.Sort(got)
			return slices.Equal(slices.Compact(got), want)
		})
	}
	told(uid(1))
	f.put(namespacesPath, namespaceJSON("bank", nil))
	told(uid(2))
	f.put(namespacesPath, namespaceJSON("shop", object1{"a": "b"}))
	told(uid(1))
	f.put(podsPath, podJSON(1, "shop", "n1", nil)) // as it was: the next change is told alone
	f.put(podsPath, podJSON(2, "bank", "n1", object1{"labels": object1{"x": "y"}}))
	told(uid(2))
	f.remove(podsPath, uid(2))
	told(uid(2))
	if c.Pod(uid(2)) != nil || c.Remembered(uid(2)) == nil {
		t.Error("a deleted pod is there, or not remembered")
	}
	f.remove(namespacesPath, "shop")
	told(uid(1))
	if c.Pod(uid(1)) != nil {
		t.Error("a pod is known though its namespace is gone")
	}
}

// A watch that ends is continued without a list; one that cannot be is followed
// by a list, which also tells what was deleted meanwhile.
func TestGapsHeal(t *testing.T) {
	f := newFakeAPI(t)
	f.put(namespacesPath, namespaceJSON("shop", nil))
	f.put(podsPath, podJSON(1, "shop", "n1", nil))
	f.put(podsPath, podJSON(2, "shop", "n1", nil))
	c := ready(t, start(t, f, false))
	lists := func() int { return int(c.Stats().Lists) }
	before := lists()
	f.endWatches()
	f.put(podsPath, podJSON(3, "shop", "n1", nil))
	eventually(t, "the third pod is known", func() bool { return c.Pod(uid(3)) != nil })
	if lists() != before {
		t.Errorf("%d lists after a watch ended, want %d as before", lists(), before)
	}
	f.setDown(true)
	eventually(t, "no watch is open", func() bool { return c.Stats().Watches == 0 })
	f.remove(podsPath, uid(1))
	f.put(podsPath, podJSON(4, "shop", "n1", nil))
	f.put(namespacesPath, namespaceJSON("shop", object1{"late": "yes"}))
	f.forget()
	if c.Pod(uid(1)) == nil {
		t.Error("what was known is not any more while the server is away")
	}
	f.setDown(false)
	eventually(t, "the gap is closed", func() bool {
		p := c.Pod(uid(4))
		return c.Pod(uid(1)) == nil && p != nil && p.NamespaceLabels["late"] == "yes"
	})
	if lists() == before {
		t.Error("there was no new list")
	}
}

// A pod that a list did not have, and that is there after all, is told and does
// not end with those that were deleted.
func TestPodComesBack(t *testing.T) {
	f := newFakeAPI(t)
	f.put(namespacesPath, namespaceJSON("shop", nil))
	f.put(podsPath, podJSON(1, "shop", "n1", nil))
	c := ready(t, start(t, f, false))
	eventually(t, "the pod is known", func() bool { return c.Pod(uid(1)) != nil })
	f.remove(podsPath, uid(1))
	eventually(t, "the pod is gone", func() bool { return c.Pod(uid(1)) == nil })
	c.Changed()
	f.put(podsPath, podJSON(1, "shop", "n1", nil))
	eventually(t, "the pod is back, and that is told", func() bool { return c.Pod(uid(1)) != nil && slices.Contains(c.Changed(), uid(1)) })
	for n := 2; n < maxDeleted+4; n++ {
		o := &podObject{Metadata: objectMeta{UID: uid(n), Namespace: "shop"}}
		o.Spec.NodeName = "n1"
		podSink{c}.put(o, 1)
		podSink{c}.remove(o)
	}
	if c.Pod(uid(1)) == nil || c.Stats().Pods != 1 {
		t.Errorf("a pod that came back went with those that were deleted; %d are known", c.Stats().Pods)
	}
}

func TestOwners(t *testing.T) {
	f := newFakeAPI(t)
	f.put(namespacesPath, namespaceJSON("shop", nil))
	ref := func(kind, name string) []object1 { return []object1{{"kind": kind, "name": name, "controller": true}} }
	f.objects["jobs nightly-1"] = object1{"metadata": object1{"name": "nightly-1", "ownerReferences": ref("CronJob", "nightly")}}
	f.objects["jobs alone"] = object1{"metadata": object1{"name": "alone"}}
	tests := []struct {
		more object1
		want []Owner
	}{
		{object1{"ownerReferences": ref("ReplicaSet", "cart-5d"), "labels": object1{"pod-template-hash": "5d"}}, []Owner{{"ReplicaSet", "cart-5d"}, {"Deployment", "cart"}}},
		{object1{"ownerReferences": ref("ReplicaSet", "cart-5d")}, []Owner{{"ReplicaSet", "cart-5d"}}},
		{object1{"ownerReferences": ref("ReplicaSet", "-5d"), "labels": object1{"pod-template-hash": "5d"}}, []Owner{{"ReplicaSet", "-5d"}}},
		{object1{"ownerReferences": []object1{{"kind": "Rollout", "name": "x"}}}, nil},
		{object1{"ownerReferences": ref("Job", "nightly-1")}, []Owner{{"Job", "nightly-1"}, {"CronJob", "nightly"}}},
		{object1{"ownerReferences": ref("Job", "alone")}, []Owner{{"Job", "alone"}}},
		{object1{"ownerReferences": ref("Job", "deleted")}, []Owner{{"Job", "deleted"}}},
	}
	for n, tt := range tests {
		f.put(podsPath, podJSON(n, "shop", "n1", tt.more))
	}
	c := ready(t, start(t, f, false))
	for n, tt := range tests {
		eventually(t, "the owners are known", func() bool {
			p := c.Pod(uid(n))
			return p != nil && p.OwnersKnown && slices.Equal(p.Owners, tt.want)
		})
	}
}

func TestPeerAddresses(t *testing.T) {
	f := newFakeAPI(t)
	ips := func(list ...string) []object1 {
		var out []object1
		for _, ip := range list {
			out = append(out, object1{"ip": ip})
		}
		return out
	}
	host := podJSON(3, "shop", "n2", object1{"podIPs": ips("192.0.2.1")})
	host["spec"].(object1)["hostNetwork"] = true
	f.put(podsPath, podJSON(1, "shop", "n2", object1{"podIPs": ips("10.0.0.1", "2001:db8::1"), "labels": object1{"app.kubernetes.io/name": "cart"}}))
	f.put(podsPath, podJSON(2, "shop", "n2", object1{"podIPs": ips("10.0.0.2"), "phase": "Succeeded"}))
	f.put(podsPath, host)
	f.put(servicesPath, object1{"metadata": object1{"name": "cart", "namespace": "shop", "uid": uid(4)}, "spec": object1{"clusterIPs": []string{"10.96.0.1"}}})
	f.put(servicesPath, object1{"metadata": object1{"name": "headless", "namespace": "shop", "uid": uid(5)}, "spec": object1{"clusterIPs": []string{"None"}}})
	c := ready(t, start(t, f, true))
	at := func(addr string) Peer { p, _ := c.Peer(netip.MustParseAddr(addr)); return p }
	eventually(t, "three addresses are known", func() bool { return c.Stats().Peers == 3 })
	pod := Peer{Namespace: "shop", Pod: "pod", Name: "cart"}
	if at("10.0.0.1") != pod || at("::ffff:10.0.0.1") != pod || at("2001:db8::1") != pod || at("10.96.0.1") != (Peer{Namespace: "shop", Service: "cart"}) {
		t.Errorf("peers: %+v %+v %+v", at("10.0.0.1"), at("2001:db8::1"), at("10.96.0.1"))
	}
	if at("192.0.2.1") != (Peer{}) || at("10.0.0.2") != (Peer{}) {
		t.Error("the address of a host, or of a pod that has ended, has a name")
	}
	// The address goes to another pod, and the news of the old one's end comes late.
	f.put(podsPath, podJSON(6, "bank", "n2", object1{"podIPs": ips("10.0.0.1")}))
	eventually(t, "the address is the new pod's", func() bool { return at("10.0.0.1").Namespace == "bank" })
	f.remove(podsPath, uid(1))
	eventually(t, "the old pod is forgotten", func() bool { return at("2001:db8::1") == (Peer{}) })
	if at("10.0.0.1").Namespace != "bank" {
		t.Error("an address was forgotten with a pod that had lost it")
	}
}

func TestPeersAreBounded(t *testing.T) {
	p := newPeers(2)
	for n := range 5 {
		p.put(p.pods, uid(n), &holder{addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})}})
	}
	if size, full := p.stats(); size != 2 || full != 3 || len(p.pods) != 2 {
		t.Errorf("%d addresses, %d times full, %d pods; want 2, 3, 2", size, full, len(p.pods))
	}
}

func TestServiceName(t *testing.T) {
	owners := []Owner{{"ReplicaSet", "cart-1"}, {"Deployment", "cart"}}
	for _, tt := range []struct {
		p    Pod
		want string
	}{
		{Pod{Name: "p"}, "p"},
		{Pod{Name: "p", Owners: owners}, "cart"},
		{Pod{Name: "p", Owners: owners, Labels: map[string]string{labelName: "n"}}, "n"},
		{Pod{Name: "p", Labels: map[string]string{labelName: "n", labelInstance: "i"}}, "i"},
		{Pod{Name: "p", Labels: map[string]string{labelInstance: "i"}, Annotations: map[string]string{AnnotationPrefix + "service.name": "a"}}, "a"},
	} {
		if got := tt.p.ServiceName(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.p, got, tt.want)
		}
	}
}
