// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"strings"
)

// Explanation says why a process is or is not traced. It holds the command
// line of that process and nothing of its environment but its service name.
type Explanation struct {
	PID       uint32
	Exe       string
	Cmdline   string
	UID       string   // effective user id, or "unreadable"
	Units     []string // systemd units, the outermost first
	Container string   // id, "" if in none
	Ports     []uint16 // TCP ports it listens on
	Service   string   // service.name that its spans have or would have

	Include, Exclude []RuleExplanation // in the order of the rules

	State State // the verdict
	Rule  int   // index of the include rule that selects it, or -1
	// InheritedFrom is the process that it was forked from, without an exec
	// since, and that has this verdict where this one alone would not. 0: none.
	InheritedFrom uint32
}

// RuleExplanation is one rule against one process.
type RuleExplanation struct {
	Name     string
	Criteria []CriterionExplanation
	Matched  bool
	// Wait: everything but the ports matches; the rule applies as soon as the
	// process listens.
	Wait bool
}

// CriterionExplanation is one criterion against one process.
type CriterionExplanation struct {
	Name    string   // the key: ports, exe, ...
	Wanted  []string // alternatives
	Actual  string
	Matched bool
	// Unreadable: the value could not be read; an include rule then does not
	// match and an exclude rule does.
	Unreadable bool
}

// maxAncestors bounds the walk to the process that executed the program.
const maxAncestors = 64

// Explain judges one process as a starting agent would. It reads /proc only
// and needs no running agent. The error tells that there is no such process,
// that it has ended or that it is a kernel thread.
func Explain(m *Matcher, pid uint32, opts Options) (Explanation, error) {
	opts = opts.withDefaults()
	fs, err := newProcFS(opts.ProcRoot, newContainerNames(opts.HostRoot))
	if err != nil {
		return Explanation{}, err
	}
	fs.pods = opts.Pods
	p, err := fs.open(pid)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	ports := allListeners().ports(p)
	e := describe(p, ports)
	for i := range m.exclude {
		e.Exclude = append(e.Exclude, m.exclude[i].explain(p, ports, true))
	}
	for i := range m.include {
		e.Include = append(e.Include, m.include[i].explain(p, ports, false))
	}
	j := m.listen(m.judge(p), ports)
	e.State, e.Rule = j.State, j.rule
	e.inherit(m, p)
	if opts.Self != 0 && pid == opts.Self {
		e.State, e.Rule = StateExcluded, noRule
	}
	name := ""
	if e.Rule != noRule {
		name = m.include[e.Rule].src.Name
	}
	_, e.Service, _ = newResources(opts).build(p, name) // an unusable environment names nothing
	return e, nil
}

// allListeners knows every port, not only named ones.
func allListeners() *listeners {
	l := newListeners(nil)
	l.all = true
	return l
}

func describe(p *process, ports []uint16) Explanation {
	e := Explanation{PID: p.pid, Ports: ports, Rule: noRule}
	e.Exe = showOr(p.exe())
	argv, err := p.argv()
	e.Cmdline = showOr(strings.Join(argv, " "), err)
	uid, err := p.euid()
	e.UID = showOr(fmt.Sprint(uid), err)
	if cg, err := p.cgroup(); err == nil {
		e.Units, e.Container = cg.units, cg.container.id
	}
	return e
}

// inherit raises the verdict to that of the process it was forked from.
func (e *Explanation) inherit(m *Matcher, p *process) {
	child := p
	for range maxAncestors {
		parent, err := p.fs.open(child.stat.ppid)
		if err != nil || parent.stat.stack == 0 || programOf(parent) != programOf(child) {
			return
		}
		j := m.listen(m.judge(parent), allListeners().ports(parent))
		if j.State > e.State {
			e.State, e.Rule, e.InheritedFrom = j.State, j.rule, parent.pid
		}
		child = parent
	}
}

func (r *rule) explain(p *process, ports []uint16, exclude bool) RuleExplanation {
	e := RuleExplanation{Name: r.src.Name, Matched: true}
	for i := range r.criteria {
		c := &r.criteria[i]
		a := c.test(p)
		e.Criteria = append(e.Criteria, CriterionExplanation{
			Name: c.name, Wanted: c.wanted, Actual: c.show(p), Matched: a == yes, Unreadable: a == unknown,
		})
		e.Matched = e.Matched && (a == yes || exclude && a == unknown)
	}
	if r.bit == 0 {
		return e
	}
	c := r.explainPorts(ports)
	e.Criteria = append(e.Criteria, c)
	e.Wait = e.Matched && !c.Matched
	e.Matched = e.Matched && c.Matched
	return e
}

func (r *rule) explainPorts(ports []uint16) CriterionExplanation {
	c := CriterionExplanation{Name: "ports"}
	for _, wanted := range r.src.Ports {
		c.Wanted = append(c.Wanted, wanted.String())
		for _, port := range ports {
			c.Matched = c.Matched || port >= wanted.First && port <= wanted.Last
		}
	}
	var actual []string
	for _, port := range ports {
		actual = append(actual, fmt.Sprint(port))
	}
	c.Actual = strings.Join(actual, " ")
	return c
}
