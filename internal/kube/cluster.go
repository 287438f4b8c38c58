// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"sync"
)

// Options of a Cluster.
type Options struct {
	Node     string // whose pods are known
	Peers    bool   // also know addresses of pods and Services of the whole cluster
	MaxPeers int    // of those addresses; default 65536
	Log      *slog.Logger
}

// Cluster is what is known of the cluster. All methods are safe for concurrent use.
type Cluster struct {
	opts   Options
	client *client
	health health
	peers  *peers
	jobs   *jobs

	mu         sync.RWMutex
	pods       map[string]*podEntry  // by UID
	namespaces map[string]*namespace // by name
	synced     [numCollections]bool  // listed at least once
	deleted    []string              // UIDs of pods that are remembered, the oldest first
	changed    map[string]struct{}   // UIDs of pods that changed since Changed was called
	notify     chan struct{}         // holds a token iff changed is not empty, or everything is known
	ready      chan struct{}         // closed when both collections are known
}

type collection int

const (
	podCollection collection = iota
	namespaceCollection
	numCollections
)

// podEntry is a pod as the API gave it, and as it is shown: with its namespace.
type podEntry struct {
	own        *Pod
	shown      *Pod // nil: its namespace is not known
	generation uint64
	deleted    bool // remembered only
}

// maxDeleted bounds the pods that are remembered after their end.
const maxDeleted = 1024

type namespace struct {
	labels     map[string]string
	generation uint64
}

// New returns a Cluster that knows nothing before Run is called.
func New(a Access, opts Options) (*Cluster, error) {
	client, err := newClient(a)
	if err != nil {
		return nil, err
	}
	if opts.MaxPeers <= 0 {
		opts.MaxPeers = 1 << 16
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{
		opts: opts, client: client, peers: newPeers(opts.MaxPeers), pods: map[string]*podEntry{}, namespaces: map[string]*namespace{},
		changed: map[string]struct{}{}, notify: make(chan struct{}, 1), ready: make(chan struct{}),
	}
	c.jobs = newJobs(client, c.jobKnown, opts.Log)
	return c, nil
}

// Run keeps the Cluster in step with the API server until ctx is done. It ends
// no sooner: an API server that cannot be reached is tried again.
func (c *Cluster) Run(ctx context.Context) {
	defer c.client.close()
	var all sync.WaitGroup
	all.Go(func() { reflect[podObject](ctx, c, "/api/v1/pods", "spec.nodeName="+c.opts.Node, false, podSink{c}) })
	all.Go(func() { reflect[object](ctx, c, "/api/v1/namespaces", "", true, namespaceSink{c}) })
	all.Go(func() { c.jobs.run(ctx) })
	if c.opts.Peers {
		all.Go(func() { reflect[podObject](ctx, c, "/api/v1/pods", "", false, peerPods{c.peers}) })
		all.Go(func() { reflect[serviceObject](ctx, c, "/api/v1/services", "", false, peerServices{c.peers}) })
	}
	all.Wait()
}

// reflect runs a reflector of one collection.
func reflect[T any, P interface {
	*T
	apiObject
}](ctx context.Context, c *Cluster, path, fields string, meta bool, to sink[T]) {
	r := reflector[T, P]{client: c.client, path: path, meta: meta, sink: to, log: c.opts.Log, health: &c.health}
	if fields != "" {
		r.query = url.Values{"fieldSelector": {fields}}
	}
	r.run(ctx)
}

// Ready is closed when the pods of the node and the namespaces were read once.
func (c *Cluster) Ready() <-chan struct{} { return c.ready }

// LastFailure is why a list or watch failed last, nil if none did.
func (c *Cluster) LastFailure() error {
	if err := c.health.last.Load(); err != nil {
		return *err
	}
	return nil
}

// Pod returns a pod of this node by its UID, nil as long as it or its namespace
// is not known.
func (c *Cluster) Pod(uid string) *Pod {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.pods[uid]; e != nil && !e.deleted {
		return e.shown
	}
	return nil
}

// Remembered is Pod for pods that were deleted too, as long as they are
// remembered: their namespace may change before their last span was sent.
func (c *Cluster) Remembered(uid string) *Pod {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.pods[uid]; e != nil {
		return e.shown
	}
	return nil
}

// Notify has a token when Changed has something to return.
func (c *Cluster) Notify() <-chan struct{} { return c.notify }

// Changed returns the UIDs of the pods of which Pod returns something else than
// when Changed was called before.
func (c *Cluster) Changed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	uids := slices.Collect(maps.Keys(c.changed))
	clear(c.changed)
	return uids
}

// touch notes a change; c.mu is held.
func (c *Cluster) touch(uid string) {
	c.changed[uid] = struct{}{}
	select {
	case c.notify <- struct{}{}:
	default:
	}
}

// show makes an entry's pod visible, if its namespace is known, and notes a
// difference; c.mu is held.
func (c *Cluster) show(e *podEntry) {
	ns := c.namespaces[e.own.Namespace]
	if ns == nil {
		if e.shown != nil {
			e.shown = nil
			c.touch(e.own.UID)
		}
		return
	}
	p := *e.own
	p.NamespaceLabels = ns.labels
	if job := p.Owner("Job"); !p.OwnersKnown && job != "" {
		if owner, known := c.jobs.owner(p.Namespace, job); known {
			p.OwnersKnown = true
			if owner != (Owner{}) {
				p.Owners = append(slices.Clip(p.Owners), owner)
			}
		}
	}
	if e.shown == nil || !e.shown.equal(&p) {
		e.shown = &p
		c.touch(p.UID)
	}
}

// collected notes that a collection was read once; c.mu is held.
func (c *Cluster) collected(which collection) {
	if c.synced[which] {
		return
	}
	c.synced[which] = true
	for _, done := range c.synced {
		if !done {
			return
		}
	}
	close(c.ready)
}

// podSink takes the pods of this node.
type podSink struct{ *Cluster }

func (s podSink) put(o *podObject, generation uint64) {
	p := podOf(o)
	if p.UID == "" || p.Node != s.opts.Node {
		return
	}
	if job := p.Owner("Job"); job != "" {
		s.jobs.want(p.Namespace, job)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.pods[p.UID]
	if e == nil {
		e = &podEntry{}
		s.pods[p.UID] = e
	}
	if e.deleted { // a list that was behind did not have it
		e.deleted = false
		s.deleted = slices.DeleteFunc(s.deleted, func(uid string) bool { return uid == p.UID })
		s.touch(p.UID)
	}
	e.own, e.generation = p, generation
	s.show(e)
}

func (s podSink) remove(o *podObject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(o.Metadata.UID)
}

func (s podSink) forget(uid string) {
	e := s.pods[uid]
	if e == nil || e.deleted {
		return
	}
	e.deleted = true
	s.touch(uid)
	s.deleted = append(s.deleted, uid)
	if len(s.deleted) > maxDeleted {
		delete(s.pods, s.deleted[0])
		s.deleted = s.deleted[1:]
	}
}

func (s podSink) listed(generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uid, e := range s.pods {
		if e.generation != generation {
			s.forget(uid)
		}
	}
	s.collected(podCollection)
}

// namespaceSink takes the namespaces.
type namespaceSink struct{ *Cluster }

func (s namespaceSink) put(o *object, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.namespaces[o.Metadata.Name]
	s.namespaces[o.Metadata.Name] = &namespace{labels: o.Metadata.Labels, generation: generation}
	if old == nil || !maps.Equal(old.labels, o.Metadata.Labels) {
		s.showAll(o.Metadata.Name)
	}
}

func (s namespaceSink) remove(o *object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(o.Metadata.Name)
}

func (s namespaceSink) forget(name string) {
	delete(s.namespaces, name)
	s.showAll(name)
}

func (s namespaceSink) showAll(name string) {
	for _, e := range s.pods {
		if e.own.Namespace == name {
			s.show(e)
		}
	}
}

func (s namespaceSink) listed(generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, ns := range s.namespaces {
		if ns.generation != generation {
			s.forget(name)
		}
	}
	s.collected(namespaceCollection)
}

// jobKnown shows the pods of a Job again, of which the owner is known now.
func (c *Cluster) jobKnown(namespace, job string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.pods {
		if e.own.Namespace == namespace && e.own.Owner("Job") == job {
			c.show(e)
		}
	}
}

// Stats are counts of now and since New.
type Stats struct {
	Pods, Namespaces int    // known
	Peers            int    // addresses known
	PeersFull        uint64 // addresses not kept because of MaxPeers
	Watches          int    // that are open
	WatchesWanted    int    // that would be open if all was well
	Lists, Failures  uint64
	Events           uint64
	Synced           bool // pods and namespaces were read at least once
}

// Stats returns the counts.
func (c *Cluster) Stats() Stats {
	c.mu.RLock()
	s := Stats{Pods: len(c.pods) - len(c.deleted), Namespaces: len(c.namespaces), Synced: c.synced[podCollection] && c.synced[namespaceCollection]}
	c.mu.RUnlock()
	s.Peers, s.PeersFull = c.peers.stats()
	s.Watches, s.WatchesWanted = int(c.health.connected.Load()), 2
	if c.opts.Peers {
		s.WatchesWanted = 4
	}
	s.Lists, s.Failures, s.Events = c.health.lists.Load(), c.health.failures.Load(), c.health.events.Load()
	return s
}
