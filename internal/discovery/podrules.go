// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tracer-agent/tracer-agent/internal/kube"
)

// Pods tells what is known of the pods of this node; *kube.Cluster does.
type Pods interface {
	// Pod returns a pod by its UID, nil as long as it or its namespace is not known.
	Pod(uid string) *kube.Pod
}

// AnyValue stands for any value of a label or annotation.
const AnyValue = "*"

// pod returns what is known of the process's pod. The answer is no if it is in
// none and unknown if it is in one that is not known.
func (p *process) pod() (*kube.Pod, answer) {
	cg, err := p.cgroup()
	switch {
	case err != nil:
		return nil, unknown
	case cg.pod == nil:
		return nil, no
	case cg.pod.contradictory || p.fs.pods == nil:
		return nil, unknown
	}
	if pod := p.fs.pods.Pod(cg.pod.uid); pod != nil {
		return pod, yes
	}
	return nil, unknown
}

// podCriterion tests the pod of a process.
func podCriterion(name string, wanted []string, test func(*kube.Pod) answer, show func(*kube.Pod) string) criterion {
	return criterion{
		name: name, cgroup: true, wanted: wanted, pod: test,
		test: func(p *process) answer {
			pod, known := p.pod()
			if known != yes {
				return known
			}
			return test(pod)
		},
		show: func(p *process) string {
			pod, known := p.pod()
			switch known {
			case no:
				return "in no pod"
			case unknown:
				return "pod not known"
			}
			return show(pod)
		},
	}
}

func namespaceCriterion(patterns []string) (criterion, error) {
	gs, err := compileGlobs("namespaces", patterns, noSlash)
	return podCriterion("namespaces", patterns,
		func(p *kube.Pod) answer { return answerOf(gs.match(p.Namespace)) },
		func(p *kube.Pod) string { return p.Namespace }), err
}

// labelCriterion asks for all of the wanted labels or annotations.
func labelCriterion(name string, wanted map[string]string, of func(*kube.Pod) map[string]string) criterion {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		texts = append(texts, key+"="+wanted[key])
	}
	matches := func(p *kube.Pod) answer {
		have := of(p)
		for key, value := range wanted {
			if got, ok := have[key]; !ok || value != AnyValue && got != value {
				return no
			}
		}
		return yes
	}
	return podCriterion(name, texts, matches, func(p *kube.Pod) string {
		var found []string
		for _, key := range slices.Sorted(maps.Keys(wanted)) { // of the others some may be secret
			if value, ok := of(p)[key]; ok {
				found = append(found, key+"="+value)
			}
		}
		return strings.Join(found, " ")
	})
}

// workload is a pattern of kind and name.
type workload struct {
	kind string
	name glob
}

func workloadCriterion(wanted []string) (criterion, error) {
	var list []workload
	for _, text := range wanted {
		kind, name, ok := strings.Cut(text, "/")
		if !ok {
			return criterion{}, fmt.Errorf("workloads: %q is not kind/name", text)
		}
		g, err := compileGlob("workloads", name)
		if err != nil {
			return criterion{}, err
		}
		list = append(list, workload{kind: strings.ToLower(kind), name: g})
	}
	return podCriterion("workloads", wanted,
		func(p *kube.Pod) answer { return matchWorkload(list, p) },
		func(p *kube.Pod) string {
			var found []string
			for _, o := range p.Owners {
				found = append(found, strings.ToLower(o.Kind)+"/"+o.Name)
			}
			return strings.Join(found, " ")
		}), nil
}

// matchWorkload does not know while an owner that is asked for may turn up.
func matchWorkload(list []workload, p *kube.Pod) answer {
	for _, w := range list {
		for _, o := range p.Owners {
			if strings.EqualFold(o.Kind, w.kind) && w.name.match(o.Name) {
				return yes
			}
		}
	}
	if p.OwnersKnown {
		return no
	}
	for _, w := range list {
		if w.kind != "job" {
			return unknown
		}
	}
	return no
}

// mayTrace tells of a pod, whatever its processes are, whether some of them
// could be selected.
func (m *Matcher) mayTrace(pod *kube.Pod) bool {
	for i := range m.exclude {
		r := &m.exclude[i]
		if len(r.src.Ports) == 0 && r.podOnly() && r.matchPod(pod) != no {
			return false
		}
	}
	for i := range m.include {
		if m.include[i].matchPod(pod) == yes {
			return true
		}
	}
	return false
}

// matchPod looks at the criteria of pods alone.
func (r *rule) matchPod(pod *kube.Pod) answer {
	result := yes
	for i := range r.criteria {
		if r.criteria[i].pod == nil {
			continue
		}
		switch r.criteria[i].pod(pod) {
		case no:
			return no
		case unknown:
			result = unknown
		}
	}
	return result
}

func (r *rule) podOnly() bool {
	for i := range r.criteria {
		if r.criteria[i].pod == nil {
			return false
		}
	}
	return true
}

// UsesPods tells whether some rule is about pods.
func (r Rules) UsesPods() bool {
	return slices.ContainsFunc(slices.Concat(r.Include, r.Exclude), func(r Rule) bool { return r.podCriteria() > 0 })
}

func (r Rule) podCriteria() int {
	return len(r.Namespaces) + len(r.NamespaceLabels) + len(r.PodLabels) + len(r.PodAnnotations) + len(r.Workloads)
}
