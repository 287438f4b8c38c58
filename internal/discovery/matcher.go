// SPDX-License-Identifier: Apache-2.0

package discovery

// Matcher is a compiled set of rules. It is immutable and safe for concurrent use.
type Matcher struct {
	include, exclude []rule
	ports            map[uint16]portMask
	autoInclude      uint64 // bits of include rules of ports only, if none of the exclude rules needs user space
	mutableExclude   bool   // some exclude rule can start to match without an exec
	pathInclude      uint64 // bits of include rules that but for the port need only the executable's path
	byPath           bool   // some verdict follows from the executable's path
}

// portMask names the rules that list a port.
type portMask struct {
	include, exclude uint64
	auto             bool
}

// indexPaths finds what paths decide: nothing, if a rule that excludes needs more.
func (m *Matcher) indexPaths() {
	for i := range m.include {
		if r := &m.include[i]; r.path {
			m.pathInclude |= r.bit
			m.byPath = m.byPath || r.bit == 0
		}
	}
	m.byPath = m.byPath || m.pathInclude&^m.autoInclude != 0
	for i := range m.exclude {
		m.byPath = m.byPath && m.exclude[i].path
	}
}

// answer is what a test of one criterion, or of one rule, gave.
type answer uint8

const (
	no answer = iota
	unknown
	yes
)

func answerOf(matched bool) answer {
	if matched {
		return yes
	}
	return no
}

func showOr(value string, err error) string {
	if err != nil {
		return "unreadable"
	}
	return value
}

// noRule stands for "no include rule" where an index is expected.
const noRule = -1

// indexPorts fills the port masks. Automatic selection of a process that
// nobody judged is possible only where ports alone decide everything.
func (m *Matcher) indexPorts() {
	auto := true
	for i := range m.exclude {
		r := &m.exclude[i]
		m.mutableExclude = m.mutableExclude || r.mutable
		auto = auto && len(r.criteria) == 0
	}
	for i := range m.include {
		if r := &m.include[i]; auto && len(r.criteria) == 0 {
			m.autoInclude |= r.bit
		}
	}
	eachPort(m.include, func(port uint16, bit uint64) {
		mask := m.ports[port]
		mask.include |= bit
		m.ports[port] = mask
	})
	eachPort(m.exclude, func(port uint16, bit uint64) {
		mask := m.ports[port]
		mask.exclude |= bit
		m.ports[port] = mask
	})
	for port, mask := range m.ports {
		mask.auto = mask.include&m.autoInclude != 0 && mask.exclude == 0
		m.ports[port] = mask
	}
}

func eachPort(rules []rule, visit func(port uint16, bit uint64)) {
	for i := range rules {
		for _, r := range rules[i].src.Ports {
			for port := int(r.First); port <= int(r.Last); port++ {
				visit(uint16(port), rules[i].bit)
			}
		}
	}
}

// judgement is a verdict and the include rule behind it.
type judgement struct {
	Verdict
	rule int // index of the first include rule that selects, or noRule
}

// excluded is the judgement of what is excluded whatever it does.
func excluded() judgement {
	return judgement{Verdict: Verdict{State: StateExcluded, Exclude: allRules}, rule: noRule}
}

// match tells whether all criteria but the ports hold.
func (r *rule) match(p *process) answer {
	result := yes
	for i := range r.criteria {
		switch r.criteria[i].test(p) {
		case no:
			return no
		case unknown:
			result = unknown
		}
	}
	return result
}

// judge decides without regard to listening ports: rules with ports only set
// mask bits. The state is Candidate iff it could rise by listening.
func (m *Matcher) judge(p *process) judgement {
	j := judgement{rule: noRule}
	for i := range m.exclude {
		r := &m.exclude[i]
		if r.match(p) == no {
			continue
		}
		if r.bit == 0 {
			return excluded()
		}
		j.Exclude |= r.bit
	}
	for i := range m.include {
		r := &m.include[i]
		if r.bit == 0 && j.rule != noRule {
			continue
		}
		if r.match(p) != yes {
			continue
		}
		if r.bit == 0 {
			j.State, j.rule = StateSelected, i
			continue
		}
		j.Include |= r.bit
		j.State = max(j.State, StateCandidate)
	}
	return j
}

// needsPorts tells whether listening ports could raise the verdict.
func (j judgement) needsPorts() bool {
	switch j.State {
	case StateCandidate:
		return true
	case StateSelected:
		return j.Exclude != 0
	default:
		return false
	}
}

// listen returns the judgement after the process was seen to listen on ports.
func (m *Matcher) listen(j judgement, ports []uint16) judgement {
	if j.State == StateUnknown || j.State == StateExcluded {
		return j
	}
	var include uint64
	for _, port := range ports {
		mask := m.ports[port]
		if mask.exclude&j.Exclude != 0 {
			j.State, j.rule = StateExcluded, noRule
			return j
		}
		include |= mask.include & j.Include
	}
	if include == 0 {
		return j
	}
	j.State = StateSelected
	if rule := m.byBits(include); j.rule == noRule || rule < j.rule {
		j.rule = rule
	}
	return j
}

// portsExclude tells whether listening on some port can exclude a process.
func (m *Matcher) portsExclude() bool {
	for _, mask := range m.ports {
		if mask.exclude != 0 {
			return true
		}
	}
	return false
}

// byBits returns the first include rule of a mask, or noRule.
func (m *Matcher) byBits(include uint64) int {
	for i := range m.include {
		if m.include[i].bit&include != 0 {
			return i
		}
	}
	return noRule
}

// needsEntry tells whether the kernel must have an entry for the verdict. Where
// ports alone decide, the kernel needs none to select a process that listens.
func (m *Matcher) needsEntry(v Verdict) bool {
	switch v.State {
	case StateUnknown:
		return false
	case StateCandidate:
		return v.Include&^m.autoInclude != 0
	default:
		return true
	}
}
