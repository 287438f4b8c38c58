// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Pod is a pod of this node and what is known of its namespace. It is immutable.
type Pod struct {
	UID, Namespace, Name, Node string
	NamespaceLabels            map[string]string
	Labels, Annotations        map[string]string

	// Owners are the controllers, the nearest first: a ReplicaSet and its
	// Deployment, a Job and its CronJob, a StatefulSet, a DaemonSet.
	Owners []Owner
	// OwnersKnown says that Owners is complete. Until then a Job's CronJob is
	// not among them.
	OwnersKnown bool

	Containers  []Container // those that ran or run; init and ephemeral ones too
	Started     time.Time   // when the kubelet acknowledged it; zero: not yet
	HostNetwork bool
}

// Owner is a controller of a pod, in the pod's namespace.
type Owner struct {
	Kind string // as in the API: "Deployment"
	Name string
}

// Container is one container of a pod.
type Container struct {
	ID       string // without the runtime's name; "" before it was made
	Runtime  string // containerd, cri-o, docker
	Name     string
	Image    string // as the pod names it
	Restarts int
}

// Container returns the container with an id.
func (p *Pod) Container(id string) (Container, bool) {
	for _, c := range p.Containers {
		if id != "" && c.ID == id {
			return c, true
		}
	}
	return Container{}, false
}

// Owner returns the controller of a kind, "" if there is none.
func (p *Pod) Owner(kind string) string {
	for _, o := range p.Owners {
		if o.Kind == kind {
			return o.Name
		}
	}
	return ""
}

// Keys that services are named by: see ServiceName.
const (
	// AnnotationPrefix begins annotations that are resource attributes.
	AnnotationPrefix = "resource.opentelemetry.io/"

	labelInstance = "app.kubernetes.io/instance"
	labelName     = "app.kubernetes.io/name"
	labelVersion  = "app.kubernetes.io/version"
)

// ServiceName names the service that a pod belongs to, in the order of the
// semantic conventions ("Specify resource attributes using Kubernetes
// annotations"): annotation, well-known labels, the topmost owner, the pod.
func (p *Pod) ServiceName() string {
	candidates := []string{p.Annotations[AnnotationPrefix+"service.name"], p.Labels[labelInstance], p.Labels[labelName]}
	for _, o := range slices.Backward(p.Owners) {
		candidates = append(candidates, o.Name)
	}
	for _, name := range candidates {
		if name != "" {
			return name
		}
	}
	return p.Name
}

// ServiceVersion is the version that the pod's labels tell, "" if none.
func (p *Pod) ServiceVersion() string { return p.Labels[labelVersion] }

// hashLabel is put on pods by the Deployment controller, and part of the name
// of their ReplicaSet.
const hashLabel = "pod-template-hash"

// lastApplied holds a copy of the whole object, which nobody selects by.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// podOf takes from an object what is kept. The namespace's labels and a Job's
// owner are not in it.
func podOf(o *podObject) *Pod {
	m := &o.Metadata
	delete(m.Annotations, lastApplied)
	p := &Pod{
		UID: m.UID, Namespace: m.Namespace, Name: m.Name, Node: o.Spec.NodeName,
		Labels: m.Labels, Annotations: m.Annotations,
		Started: o.Status.StartTime, HostNetwork: o.Spec.HostNetwork,
	}
	p.Owners, p.OwnersKnown = ownersOf(m)
	s := &o.Status
	for _, c := range slices.Concat(s.InitContainerStatuses, s.ContainerStatuses, s.EphemeralContainerStatuses) {
		runtime, id, _ := strings.Cut(c.ContainerID, "://")
		p.Containers = append(p.Containers, Container{ID: id, Runtime: runtime, Name: c.Name, Image: c.Image, Restarts: c.RestartCount})
	}
	return p
}

// ownersOf returns the controllers that the pod itself tells. A ReplicaSet of a
// Deployment is named after it and the hash that the pod is labelled with, so
// that nothing has to be asked. Whether a Job has a CronJob its name does not tell.
func ownersOf(m *objectMeta) (owners []Owner, complete bool) {
	ref, ok := m.controller()
	if !ok {
		return nil, true
	}
	owners = []Owner{{Kind: ref.Kind, Name: ref.Name}}
	switch ref.Kind {
	case "ReplicaSet":
		hash := m.Labels[hashLabel]
		if name, ok := strings.CutSuffix(ref.Name, "-"+hash); ok && hash != "" && name != "" {
			owners = append(owners, Owner{Kind: "Deployment", Name: name})
		}
	case "Job":
		return owners, false
	}
	return owners, true
}

// addresses returns the pod's own addresses: of one that shares the host's
// network none are.
func addresses(o *podObject) []netip.Addr {
	if o.Spec.HostNetwork || o.Status.Phase == "Succeeded" || o.Status.Phase == "Failed" {
		return nil
	}
	var addrs []netip.Addr
	for _, ip := range o.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			addrs = append(addrs, a.Unmap())
		}
	}
	return addrs
}

// equal tells whether nothing that is kept differs.
func (p *Pod) equal(q *Pod) bool {
	return p.UID == q.UID && p.Namespace == q.Namespace && p.Name == q.Name && p.Node == q.Node &&
		maps.Equal(p.NamespaceLabels, q.NamespaceLabels) && maps.Equal(p.Labels, q.Labels) && maps.Equal(p.Annotations, q.Annotations) &&
		slices.Equal(p.Owners, q.Owners) && p.OwnersKnown == q.OwnersKnown && slices.Equal(p.Containers, q.Containers) &&
		p.Started.Equal(q.Started) && p.HostNetwork == q.HostNetwork
}
