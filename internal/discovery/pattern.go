// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// glob is a compiled pattern: doublestar syntax, exact strings compared as such.
type glob struct {
	pattern string
	exact   bool
}

func compileGlob(kind, pattern string) (glob, error) {
	if pattern == "" {
		return glob{}, fmt.Errorf("%s: empty pattern", kind)
	}
	if !doublestar.ValidatePattern(pattern) {
		return glob{}, fmt.Errorf("%s: malformed pattern %q", kind, pattern)
	}
	return glob{pattern: pattern, exact: !strings.ContainsAny(pattern, `*?[]{}\`)}, nil
}

func (g glob) match(name string) bool {
	if g.exact {
		return g.pattern == name
	}
	return doublestar.MatchUnvalidated(g.pattern, name)
}

type globs []glob

func (gs globs) match(name string) bool {
	for _, g := range gs {
		if g.match(name) {
			return true
		}
	}
	return false
}

func compileGlobs(kind string, patterns []string, rewrite func(string) string) (globs, error) {
	var gs globs
	for _, pattern := range patterns {
		g, err := compileGlob(kind, rewrite(pattern))
		if err != nil {
			return nil, err
		}
		gs = append(gs, g)
	}
	return gs, nil
}

func exeCriterion(patterns []string) (criterion, error) {
	c := criterion{name: "exe", path: true, wanted: patterns}
	gs, err := compileGlobs("exe", patterns, func(s string) string { return s })
	if err != nil {
		return c, err
	}
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern[:1], `/*?[{\`) {
			return c, fmt.Errorf("exe: pattern %q can never match a path: start it with / or **/", pattern)
		}
	}
	c.test = func(p *process) answer {
		exe, err := p.exe()
		if err != nil {
			return unknown
		}
		return answerOf(gs.match(exe))
	}
	c.show = func(p *process) string { return showOr(p.exe()) }
	return c, nil
}

// noSlash hides slashes from doublestar, whose * would stop at them: a command
// line is not a path.
func noSlash(s string) string { return strings.ReplaceAll(s, "/", "\x01") }

func cmdlineCriterion(patterns []string) (criterion, error) {
	c := criterion{name: "cmdline", wanted: patterns}
	gs, err := compileGlobs("cmdline", patterns, noSlash)
	if err != nil {
		return c, err
	}
	c.test = func(p *process) answer {
		argv, err := p.argv()
		if err != nil {
			return unknown
		}
		return answerOf(gs.match(noSlash(strings.Join(argv, " "))))
	}
	c.show = func(p *process) string {
		argv, err := p.argv()
		return showOr(strings.Join(argv, " "), err)
	}
	return c, nil
}

func unitCriterion(patterns []string) (criterion, error) {
	c := criterion{name: "units", cgroup: true, wanted: patterns}
	gs, err := compileGlobs("units", patterns, unitName)
	if err != nil {
		return c, err
	}
	c.test = func(p *process) answer {
		cg, err := p.cgroup()
		if err != nil {
			return unknown
		}
		if slices.ContainsFunc(cg.units, gs.match) {
			return yes
		}
		if slices.ContainsFunc(cg.claimed, gs.match) {
			return unknown // nothing is selected by it, and what is to be excluded is
		}
		return no
	}
	c.show = func(p *process) string {
		cg, err := p.cgroup()
		text := strings.Join(cg.units, " ")
		if len(cg.claimed) > 0 {
			text += " (and by others than the system: " + strings.Join(cg.claimed, " ") + ")"
		}
		return showOr(text, err)
	}
	return c, nil
}

// unitName completes a unit as systemctl does: "nginx" means "nginx.service".
func unitName(pattern string) string {
	if pattern == "" || isUnit(pattern) || strings.HasSuffix(pattern, "*") {
		return pattern
	}
	return pattern + ".service"
}

func containerCriterion(wanted []string) (criterion, error) {
	c := criterion{name: "containers", cgroup: true, wanted: wanted}
	for _, w := range wanted {
		if w == "" {
			return c, fmt.Errorf("containers: empty value")
		}
	}
	c.test = func(p *process) answer {
		cg, err := p.cgroup()
		if err != nil {
			return unknown
		}
		if a := matchContainer(wanted, cg.container, p.fs.containers); a != no {
			return a
		}
		for _, c := range cg.inner {
			if matchContainer(wanted, c, p.fs.containers) != no {
				return unknown // see units
			}
		}
		return no
	}
	c.show = func(p *process) string {
		cg, err := p.cgroup()
		return showOr(cg.container.id, err)
	}
	return c, nil
}

// matchContainer compares ids first; a name is read only if it could decide.
func matchContainer(wanted []string, c container, names *containerNames) answer {
	if c.id == "" {
		return no
	}
	for _, w := range wanted {
		if isIDPrefix(w) && strings.HasPrefix(c.id, strings.ToLower(w)) {
			return yes
		}
	}
	if c.runtime == "" {
		return no
	}
	name, err := names.name(c)
	if err != nil {
		return unknown
	}
	for _, w := range wanted {
		if w == name {
			return yes
		}
	}
	return no
}

func isIDPrefix(s string) bool {
	return len(s) >= 4 && len(s) <= containerIDLen && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
