// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"net/netip"
	"sync"
	"unique"

	"github.com/google/uuid"
)

// Peer is what an address of the cluster belongs to: a pod or a Service.
type Peer struct {
	Namespace string
	Pod       string // "" if the address is a Service's
	Service   string // "" if the address is a pod's
	Owner     Owner  // of the pod, the topmost that the pod itself tells
	// Name is the service.name of the pod, as far as the pod tells it; "" for a
	// Service and where a Job's owner would have to be asked for.
	Name string
}

// peers maps addresses to what they belong to. Safe for concurrent use.
type peers struct {
	max int

	mu       sync.RWMutex
	byAddr   map[netip.Addr]*holder
	pods     map[uuid.UUID]*holder
	services map[uuid.UUID]*holder
	full     uint64
}

// holder is a pod or Service with addresses.
type holder struct {
	peer       Peer
	addrs      []netip.Addr
	generation uint64
}

func newPeers(limit int) *peers {
	return &peers{max: limit, byAddr: map[netip.Addr]*holder{}, pods: map[uuid.UUID]*holder{}, services: map[uuid.UUID]*holder{}}
}

// Peer returns what an address belongs to, false if that is not known.
func (c *Cluster) Peer(addr netip.Addr) (Peer, bool) {
	c.peers.mu.RLock()
	defer c.peers.mu.RUnlock()
	h := c.peers.byAddr[addr.Unmap()]
	if h == nil {
		return Peer{}, false
	}
	return h.peer, true
}

func (p *peers) stats() (addresses int, full uint64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.byAddr), p.full
}

// intern returns the one copy of a text that many peers share.
func intern(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}

// put replaces what an object held.
func (p *peers) put(of map[uuid.UUID]*holder, uid string, h *holder) {
	key, err := uuid.Parse(uid)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := of[key]; old != nil {
		p.release(old)
		delete(of, key)
	}
	if len(h.addrs) == 0 {
		return
	}
	if len(p.byAddr)+len(h.addrs) > p.max {
		p.full++
		return
	}
	of[key] = h
	for _, a := range h.addrs {
		p.byAddr[a] = h
	}
}

// release gives up the addresses that h still holds; p.mu is held.
func (p *peers) release(h *holder) {
	for _, a := range h.addrs {
		if p.byAddr[a] == h {
			delete(p.byAddr, a)
		}
	}
}

func (p *peers) remove(of map[uuid.UUID]*holder, uid string) {
	key, err := uuid.Parse(uid)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := of[key]; h != nil {
		p.release(h)
		delete(of, key)
	}
}

func (p *peers) sweep(of map[uuid.UUID]*holder, generation uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, h := range of {
		if h.generation != generation {
			p.release(h)
			delete(of, key)
		}
	}
}

// peerPods takes all pods of the cluster.
type peerPods struct{ *peers }

func (s peerPods) put(o *podObject, generation uint64) {
	pod := podOf(o)
	peer := Peer{Namespace: intern(pod.Namespace), Pod: pod.Name}
	if n := len(pod.Owners); n > 0 {
		top := pod.Owners[n-1]
		peer.Owner = Owner{Kind: intern(top.Kind), Name: intern(top.Name)}
	}
	if pod.OwnersKnown {
		peer.Name = intern(pod.ServiceName())
	}
	s.peers.put(s.pods, pod.UID, &holder{peer: peer, addrs: addresses(o), generation: generation})
}

func (s peerPods) remove(o *podObject)      { s.peers.remove(s.pods, o.Metadata.UID) }
func (s peerPods) listed(generation uint64) { s.sweep(s.pods, generation) }

// peerServices takes all Services of the cluster.
type peerServices struct{ *peers }

func (s peerServices) put(o *serviceObject, generation uint64) {
	h := &holder{peer: Peer{Namespace: intern(o.Metadata.Namespace), Service: o.Metadata.Name}, generation: generation}
	for _, ip := range o.Spec.ClusterIPs {
		if a, err := netip.ParseAddr(ip); err == nil { // "None" is none
			h.addrs = append(h.addrs, a.Unmap())
		}
	}
	s.peers.put(s.services, o.Metadata.UID, h)
}

func (s peerServices) remove(o *serviceObject)  { s.peers.remove(s.services, o.Metadata.UID) }
func (s peerServices) listed(generation uint64) { s.sweep(s.services, generation) }
