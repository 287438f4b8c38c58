// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/tracer-agent/tracer-agent/internal/kube"
)

// Rules is what the operator wants traced: a process is selected iff some
// Include rule matches and no Exclude rule does.
type Rules struct {
	Include, Exclude []Rule
}

// Rule matches a process iff every criterion given (non-empty) matches; values
// of one criterion are alternatives. A rule without criteria is an error.
type Rule struct {
	// Name becomes service.name of what matches, unless the process's own
	// environment names it. Not a criterion.
	Name string
	// Ports: TCP ports that the process listens on.
	Ports []PortRange
	// Exe: doublestar globs over the executable's path, as the link
	// /proc/PID/exe shows it, that is in the mount namespace of the process.
	Exe []string
	// Cmdline: globs over all arguments joined by spaces; * crosses slashes.
	Cmdline []string
	// PIDs: process ids in the agent's pid namespace. A forked child inherits
	// until it executes another program.
	PIDs []int
	// Units: globs over systemd unit names in the cgroup path; without a
	// suffix .service is meant. A slice matches all it contains.
	Units []string
	// Containers: prefixes of container ids (four or more hex digits), or
	// exact names of docker or podman containers where their state directory
	// can be read. Kubernetes runtimes have ids only.
	Containers []string
	// Users: names or numbers of the effective user.
	Users []string
	// Namespaces: globs over the names of Kubernetes namespaces. This and the
	// next four are of the process's pod; see Pods.
	Namespaces []string
	// NamespaceLabels, PodLabels, PodAnnotations: all of these, AnyValue for any value.
	NamespaceLabels, PodLabels, PodAnnotations map[string]string
	// Workloads: controllers of the pod, "kind/glob": "deployment/cart".
	Workloads []string
	// Routes: path patterns for http.route, handed through to Target. Not a criterion.
	Routes []string
}

// PortRange is First to Last, both included.
type PortRange struct{ First, Last uint16 }

// String returns "8080" or "9000-9010".
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// maxPortRules is the number of bits of a mask in Verdict, for include and
// exclude rules each.
const maxPortRules = 64

// rule is a compiled Rule.
type rule struct {
	src      Rule
	criteria []criterion // all but ports, the cheapest first
	bit      uint64      // mask bit; 0: the rule has no ports
	cgroup   bool        // criteria are of cgroups only (units, containers), at least one
	mutable  bool        // a criterion can change without exec
	path     bool        // criteria are of the executable's path only, if any
}

// criterion is one kind of test of one rule, all its alternatives.
type criterion struct {
	name   string
	cgroup bool // depends on the cgroup alone
	path   bool // depends on the executable's path alone
	wanted []string
	test   func(*process) answer
	pod    func(*kube.Pod) answer // not nil: depends on the pod alone
	show   func(*process) string  // the actual value, for explanations
}

// Compile checks the rules and prepares them. The error joins every problem
// found, each naming its rule and value.
func Compile(rules Rules) (*Matcher, error) {
	m := &Matcher{ports: map[uint16]portMask{}}
	var errs []error
	m.include = compileList("include", rules.Include, &errs)
	m.exclude = compileList("exclude", rules.Exclude, &errs)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.indexPorts()
	m.indexPaths()
	return m, nil
}

func compileList(list string, rules []Rule, errs *[]error) []rule {
	var compiled []rule
	withPorts := 0
	for i, src := range rules {
		r, err := compileRule(src)
		if len(src.Ports) > 0 {
			r.bit = 1 << (withPorts % maxPortRules)
			withPorts++
		}
		if err != nil {
			*errs = append(*errs, fmt.Errorf("%s rule %d: %w", list, i, err))
		}
		compiled = append(compiled, r)
	}
	if withPorts > maxPortRules {
		*errs = append(*errs, fmt.Errorf("%s: %d rules with ports, at most %d are possible", list, withPorts, maxPortRules))
	}
	return compiled
}

func compileRule(src Rule) (rule, error) {
	r := rule{src: src}
	var errs []error
	add := func(c criterion, err error) {
		if err != nil {
			errs = append(errs, err)
		} else if len(c.wanted) > 0 {
			r.criteria = append(r.criteria, c)
		}
	}
	add(pidCriterion(src.PIDs))
	add(exeCriterion(src.Exe))
	add(userCriterion(src.Users))
	add(unitCriterion(src.Units))
	add(containerCriterion(src.Containers))
	add(namespaceCriterion(src.Namespaces))
	add(labelCriterion("namespace_labels", src.NamespaceLabels, func(p *kube.Pod) map[string]string { return p.NamespaceLabels }), nil)
	add(labelCriterion("pod_labels", src.PodLabels, func(p *kube.Pod) map[string]string { return p.Labels }), nil)
	add(labelCriterion("pod_annotations", src.PodAnnotations, func(p *kube.Pod) map[string]string { return p.Annotations }), nil)
	add(workloadCriterion(src.Workloads))
	add(cmdlineCriterion(src.Cmdline))
	for _, p := range src.Ports {
		if p.First == 0 || p.Last < p.First {
			errs = append(errs, fmt.Errorf("ports %d-%d: not a range of 1 to 65535", p.First, p.Last))
		}
	}
	if len(r.criteria) == 0 && len(src.Ports) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("no criterion: it would match every process"))
	}
	inCgroup := len(src.Units) + len(src.Containers)
	r.cgroup = inCgroup+src.podCriteria() > 0 && len(src.Ports)+len(src.Exe)+len(src.Cmdline)+len(src.PIDs)+len(src.Users) == 0
	r.path = !slices.ContainsFunc(r.criteria, func(c criterion) bool { return !c.path })
	r.mutable = inCgroup+len(src.Users)+len(src.Cmdline) > 0
	return r, errors.Join(errs...)
}

func pidCriterion(pids []int) (criterion, error) {
	c := criterion{name: "pids"}
	for _, pid := range pids {
		if pid <= 0 || pid > 1<<22 {
			return c, fmt.Errorf("pids: %d is not a process id", pid)
		}
		c.wanted = append(c.wanted, strconv.Itoa(pid))
	}
	c.test = func(p *process) answer {
		for _, pid := range pids {
			if uint32(pid) == p.pid {
				return yes
			}
		}
		return no
	}
	c.show = func(p *process) string { return strconv.Itoa(int(p.pid)) }
	return c, nil
}

// userCriterion resolves names once, in the agent's own user database.
func userCriterion(users []string) (criterion, error) {
	c := criterion{name: "users", wanted: users}
	uids := map[uint32]bool{}
	for _, name := range users {
		uid, err := lookupUser(name)
		if err != nil {
			return c, err
		}
		uids[uid] = true
	}
	c.test = func(p *process) answer {
		uid, err := p.euid()
		if err != nil {
			return unknown
		}
		return answerOf(uids[uid])
	}
	c.show = func(p *process) string {
		uid, err := p.euid()
		return showOr(strconv.Itoa(int(uid)), err)
	}
	return c, nil
}

func lookupUser(name string) (uint32, error) {
	id := name
	if strings.Trim(name, "0123456789") != "" || name == "" {
		u, err := user.Lookup(name)
		if err != nil {
			return 0, fmt.Errorf("users: no user %q", name)
		}
		id = u.Uid
	}
	uid, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("users: uid %q: %w", id, err)
	}
	return uint32(uid), nil
}
