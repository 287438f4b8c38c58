// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"
)

// workloadKinds are the kinds that a workload can be named by.
func workloadKinds() []string {
	return []string{"deployment", "statefulset", "daemonset", "replicaset", "replicationcontroller", "job", "cronjob"}
}

// workloadProblem says what is wrong with kind/name, "" for nothing.
func workloadProblem(workload string) string {
	kind, name, ok := strings.Cut(workload, "/")
	if !ok {
		return fmt.Sprintf("%q is not kind/name; did you mean %q?", workload, "deployment/"+workload)
	}
	if kinds := workloadKinds(); !slices.Contains(kinds, kind) {
		if near := Nearest(kind, kinds); near != "" && len(kind) > 3 {
			return fmt.Sprintf("%q is not a kind of workload; did you mean %q?", kind, near+"/"+name)
		}
		return fmt.Sprintf("%q is not a kind of workload; known are %s", kind, strings.Join(kinds, ", "))
	}
	return patternProblem(name)
}

// labelProblem says what keeps key from being the key of a label or annotation
// (Kubernetes, "Labels and Selectors", syntax), "" for nothing.
func labelProblem(key string) string {
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		prefix, name = "", key
	}
	switch {
	case prefixed && (prefix == "" || len(prefix) > 253 || !made(prefix, "-.")):
		return fmt.Sprintf("%q is not the key of a label: what is before the slash is not a domain", key)
	case name == "" || len(name) > 63 || !made(name, "-_."):
		return fmt.Sprintf("%q is not the key of a label: it needs 1 to 63 letters, digits, -, _ and ., the first and last a letter or digit", key)
	}
	return ""
}

// made says that s is of letters, digits and the inner bytes, which do not
// stand at its ends.
func made(s, inner string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && (strings.IndexByte(inner, c) < 0 || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return true
}

// kubernetes finds entries that need what is switched off.
func (r *report) kubernetes(c Config) {
	k := c.Kubernetes
	if k.API != "never" {
		return
	}
	if k.Kubeconfig != "" {
		r.add("kubernetes.kubeconfig", "means nothing with kubernetes.api: never")
	}
	for i, entry := range c.Instrument {
		if entry.Kubernetes() {
			r.add(fmt.Sprintf("instrument[%d]", i), "selects by what only the Kubernetes API tells, but kubernetes.api is never")
		}
	}
	for i, entry := range c.Exclude {
		if entry.Kubernetes() {
			r.add(fmt.Sprintf("exclude[%d]", i), "selects by what only the Kubernetes API tells, but kubernetes.api is never")
		}
	}
}
