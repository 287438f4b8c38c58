// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/tracer-agent/tracer-agent/internal/kube"
)

// Bounds on what the annotations of a pod may add to a resource.
const (
	maxAnnotationAttributes = 64
	maxAnnotationValue      = 1024
)

// podService is what a pod's author may say otherwise, by annotation or in the
// environment of a process.
func podService(pod *kube.Pod) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.ServiceNamespace(pod.Namespace)}
	if v := pod.ServiceVersion(); v != "" {
		attrs = append(attrs, semconv.ServiceVersion(v))
	}
	return append(attrs, annotationAttributes(pod.Annotations)...)
}

// podIdentity says which pod and container a process is in, as the API and the
// kernel have it (semantic conventions, resource attributes k8s.* and container.*).
func podIdentity(pod *kube.Pod, containerID string) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.K8SNamespaceName(pod.Namespace), semconv.K8SPodName(pod.Name), semconv.K8SPodUID(pod.UID), semconv.K8SNodeName(pod.Node),
	}
	if !pod.Started.IsZero() {
		attrs = append(attrs, semconv.K8SPodStartTime(pod.Started.UTC().Format(time.RFC3339)))
	}
	for _, o := range pod.Owners {
		if key, ok := ownerKey(o.Kind); ok {
			attrs = append(attrs, key.String(o.Name))
		}
	}
	if containerID != "" {
		attrs = append(attrs, semconv.ContainerID(containerID))
	}
	if c, ok := pod.Container(containerID); ok {
		attrs = append(attrs, containerAttributes(c)...)
	}
	return attrs
}

// ownerKey names the attribute for a kind of owner.
func ownerKey(kind string) (attribute.Key, bool) {
	switch kind {
	case "Deployment":
		return semconv.K8SDeploymentNameKey, true
	case "ReplicaSet":
		return semconv.K8SReplicaSetNameKey, true
	case "StatefulSet":
		return semconv.K8SStatefulSetNameKey, true
	case "DaemonSet":
		return semconv.K8SDaemonSetNameKey, true
	case "Job":
		return semconv.K8SJobNameKey, true
	case "CronJob":
		return semconv.K8SCronJobNameKey, true
	case "ReplicationController":
		return semconv.K8SReplicationControllerNameKey, true
	}
	return "", false
}

func containerAttributes(c kube.Container) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.K8SContainerName(c.Name), semconv.K8SContainerRestartCount(c.Restarts)}
	if c.Runtime != "" {
		attrs = append(attrs, semconv.ContainerRuntimeName(c.Runtime))
	}
	name, tag := splitImage(c.Image)
	if name != "" {
		attrs = append(attrs, semconv.ContainerImageName(name))
	}
	if tag != "" {
		attrs = append(attrs, semconv.ContainerImageTags(tag))
	}
	return attrs
}

// splitImage takes the tag off the name of an image, and the digest.
func splitImage(image string) (name, tag string) {
	name, _, _ = strings.Cut(image, "@")
	if strings.HasPrefix(name, "sha256:") { // what a runtime shows where it knows no name
		return "", ""
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// annotationAttributes are those that the pod's author wrote as annotations.
func annotationAttributes(annotations map[string]string) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, kube.AnnotationPrefix)
		value := annotations[key]
		if !ok || name == "" || value == "" || len(value) > maxAnnotationValue || len(attrs) == maxAnnotationAttributes {
			continue
		}
		attrs = append(attrs, attribute.String(name, strings.ToValidUTF8(value, "\uFFFD")))
	}
	return attrs
}
