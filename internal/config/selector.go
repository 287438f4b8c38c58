// SPDX-License-Identifier: Apache-2.0

package config

// Instrument selects processes and says how their spans are named.
type Instrument struct {
	// `service.name` of what this entry selects. Empty: the process's own
	// OTEL_SERVICE_NAME, its Kubernetes or systemd name, or its executable.
	Name     string `yaml:"name"`
	Selector `yaml:",inline"`
	// Path patterns for `http.route`, such as `/users/{id}` or
	// `/files/{path...}`: a segment in braces stands for any one segment, with
	// dots and at the end for all that is left; everything else is taken
	// literally. Of several that match the more literal one wins, whatever
	// their order. Without a match a span has no route.
	Routes []string `yaml:"routes"`
}

// Selector describes processes. A process matches iff every criterion that is
// given matches it; the values in one criterion's list are alternatives. At
// least one criterion is needed.
type Selector struct {
	// TCP ports that the process listens on: `8080`, `"9000-9010"`.
	Ports Ports `yaml:"ports"`
	// Path of the executable, as a glob. For a process in a container it is the
	// path inside.
	Exe []string `yaml:"exe" check:"glob"`
	// The command line, arguments joined by single spaces, as a text pattern.
	Cmdline []string `yaml:"cmdline" check:"pattern"`
	// Process ids, as the agent sees them. Children are covered until they
	// execute another program.
	Pids []int `yaml:"pids" check:"min=1 max=4194304"`
	// Names of systemd units, as a text pattern: `nginx` (means
	// `nginx.service`), `app@*.service`. A slice stands for all it contains.
	// Units of the system's own manager are meant; those of a user's manager
	// (`systemctl --user`) or within a container are only ever excluded by name.
	Units []string `yaml:"units" check:"pattern"`
	// Containers, by the first digits of their id (at least four) or by their
	// exact name where the runtime's state can be read (docker, podman). A
	// container within a container counts as the outer one.
	Containers []string `yaml:"containers"`
	// Users that the process runs as, by name or number.
	Users []string `yaml:"users"`
	// Kubernetes namespaces, as text patterns: `shop`, `team-*`. This and the
	// following keys need the Kubernetes API; what they say of a process is
	// known from its pod, and nothing matches before the pod and its namespace
	// are known.
	Namespaces []string `yaml:"namespaces" check:"pattern"`
	// Labels that the namespace has, all of them: `{tracing: enabled}`. The
	// value `"*"` stands for any.
	NamespaceLabels map[string]string `yaml:"namespace_labels" check:"label"`
	// Labels that the pod has, all of them.
	PodLabels map[string]string `yaml:"pod_labels" check:"label"`
	// Annotations that the pod has, all of them.
	PodAnnotations map[string]string `yaml:"pod_annotations" check:"label"`
	// What controls the pod, directly or through what it controls, as kind and
	// name, the name as a text pattern: `deployment/cart`, `cronjob/*-report`.
	// Kinds are deployment, statefulset, daemonset, replicaset,
	// replicationcontroller, job and cronjob.
	Workloads []string `yaml:"workloads"`
}

// Empty says that no criterion is given; such a Selector matches nothing.
func (s Selector) Empty() bool {
	return len(s.Ports) == 0 && len(s.Exe) == 0 && len(s.Cmdline) == 0 && len(s.Pids) == 0 &&
		len(s.Units) == 0 && len(s.Containers) == 0 && len(s.Users) == 0 && !s.Kubernetes()
}

// Kubernetes says that some criterion needs the Kubernetes API.
func (s Selector) Kubernetes() bool {
	return len(s.Namespaces) > 0 || len(s.NamespaceLabels) > 0 || len(s.PodLabels) > 0 || len(s.PodAnnotations) > 0 || len(s.Workloads) > 0
}
