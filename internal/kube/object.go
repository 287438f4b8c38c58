// SPDX-License-Identifier: Apache-2.0

package kube

import "time"

// The parts of API objects that are read. Everything else is skipped while
// decoding and never held. The names and forms are those of the Kubernetes API
// reference (core/v1, batch/v1, meta/v1).

type objectMeta struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	UID             string            `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
	OwnerReferences []ownerReference  `json:"ownerReferences"`
}

type ownerReference struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

// controller returns the owner that manages the object, false if there is none.
func (m *objectMeta) controller() (ownerReference, bool) {
	for _, ref := range m.OwnerReferences {
		if ref.Controller {
			return ref, true
		}
	}
	return ownerReference{}, false
}

// object is anything of which the metadata is enough.
type object struct {
	Metadata objectMeta `json:"metadata"`
}

func (o *object) meta() *objectMeta { return &o.Metadata }

type podObject struct {
	Metadata objectMeta `json:"metadata"`
	Spec     struct {
		NodeName    string `json:"nodeName"`
		HostNetwork bool   `json:"hostNetwork"`
	} `json:"spec"`
	Status struct {
		Phase                      string            `json:"phase"`
		StartTime                  time.Time         `json:"startTime"`
		PodIPs                     []podIP           `json:"podIPs"`
		ContainerStatuses          []containerStatus `json:"containerStatuses"`
		InitContainerStatuses      []containerStatus `json:"initContainerStatuses"`
		EphemeralContainerStatuses []containerStatus `json:"ephemeralContainerStatuses"`
	} `json:"status"`
}

func (o *podObject) meta() *objectMeta { return &o.Metadata }

type podIP struct {
	IP string `json:"ip"`
}

type containerStatus struct {
	Name         string `json:"name"`
	Image        string `json:"image"`
	ContainerID  string `json:"containerID"` // runtime://id
	RestartCount int    `json:"restartCount"`
}

type serviceObject struct {
	Metadata objectMeta `json:"metadata"`
	Spec     struct {
		ClusterIPs []string `json:"clusterIPs"` // or one "None"
	} `json:"spec"`
}

func (o *serviceObject) meta() *objectMeta { return &o.Metadata }

// apiObject is a decoded object of one of the types above.
type apiObject interface{ meta() *objectMeta }

// apiStatus is what the API server answers instead of what was asked for.
type apiStatus struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}
