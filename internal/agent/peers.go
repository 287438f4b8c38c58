// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"net/netip"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/tracer-agent/tracer-agent/internal/kube"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// peerPrefix begins attributes that say of the other end of a connection what
// the resource says of this one.
const peerPrefix = "tracer_agent.peer."

// peersOf names addresses of the cluster, nil without one.
func peersOf(c *kube.Cluster) spanbuilder.Peers {
	if c == nil {
		return nil
	}
	return func(addr netip.Addr) (string, []attribute.KeyValue) {
		peer, ok := c.Peer(addr)
		if !ok {
			return "", nil
		}
		return describePeer(&peer)
	}
}

// describePeer names a pod or Service as the cluster's DNS does: the object, a
// dot, the namespace.
func describePeer(p *kube.Peer) (string, []attribute.KeyValue) {
	attrs := []attribute.KeyValue{attribute.String(peerPrefix+string(semconv.K8SNamespaceNameKey), p.Namespace)}
	object, service := p.Pod, p.Name
	if p.Service != "" {
		object, service = p.Service, p.Service
		attrs = append(attrs, attribute.String(peerPrefix+"k8s.service.name", p.Service))
	} else {
		attrs = append(attrs, attribute.String(peerPrefix+string(semconv.K8SPodNameKey), p.Pod))
	}
	if p.Owner.Kind != "" {
		attrs = append(attrs, attribute.String(peerPrefix+"k8s."+strings.ToLower(p.Owner.Kind)+".name", p.Owner.Name))
	}
	if service != "" {
		attrs = append(attrs, semconv.ServicePeerName(service), semconv.ServicePeerNamespace(p.Namespace))
	}
	return object + "." + p.Namespace, attrs
}
