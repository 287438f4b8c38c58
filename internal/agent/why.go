// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/tracer-agent/tracer-agent/internal/cli"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/discovery"
)

// Why explains whether process pid would be traced under cfg.
func Why(ctx context.Context, pid int, cfg config.Config) (cli.Explanation, error) {
	rules := rulesOf(cfg)
	matcher, err := discovery.Compile(rules)
	if err != nil {
		return cli.Explanation{}, fmt.Errorf("compile selection: %w", err)
	}
	opts := discoveryOptions(slog.New(slog.DiscardHandler), "")
	opts.Self = 0
	cluster, stop, err := askCluster(ctx, cfg, rules)
	if err != nil {
		return cli.Explanation{}, err
	}
	defer stop()
	opts.Pods = podsOf(cluster)
	found, err := discovery.Explain(matcher, uint32(pid), opts)
	if err != nil {
		return cli.Explanation{}, err
	}
	e := cli.Explanation{PID: pid, Exe: found.Exe, Service: found.Service, Traced: found.State == discovery.StateSelected}
	e.Entries = append(entries("exclude", found.Exclude), entries("instrument", found.Include)...)
	e.Rule, e.Reason = reason(found)
	e.Hints = hints(found)
	return e, nil
}

func entries(list string, rules []discovery.RuleExplanation) []cli.Entry {
	var out []cli.Entry
	for i, r := range rules {
		entry := cli.Entry{Path: fmt.Sprintf("%s[%d]", list, i), Name: r.Name, Matches: state(r.Matched)}
		for _, c := range r.Criteria {
			one := cli.Criterion{Key: c.Name, Want: strings.Join(c.Wanted, ","), Have: c.Actual, Matches: state(c.Matched)}
			if c.Unreadable {
				one.Matches = cli.Unknown
			}
			entry.Criteria = append(entry.Criteria, one)
		}
		out = append(out, entry)
	}
	return out
}

func state(yes bool) cli.State {
	if yes {
		return cli.Yes
	}
	return cli.No
}

// reason returns the deciding entry and the reason in words.
func reason(e discovery.Explanation) (rule, why string) {
	for i, r := range e.Exclude {
		if r.Matched {
			rule = fmt.Sprintf("exclude[%d]", i)
			return rule, rule + " matches, and exclusion wins"
		}
	}
	switch {
	case e.State == discovery.StateSelected && e.InheritedFrom != 0:
		return "", fmt.Sprintf("it was forked from process %d, which is selected", e.InheritedFrom)
	case e.State == discovery.StateSelected && e.Rule >= 0:
		rule = fmt.Sprintf("instrument[%d]", e.Rule)
		return rule, rule + " matches and nothing excludes it"
	case e.State == discovery.StateCandidate:
		for i, r := range e.Include {
			if r.Wait {
				rule = fmt.Sprintf("instrument[%d]", i)
				return rule, rule + " matches but for the port: it does not listen on one of them"
			}
		}
	case len(e.Include) == 0:
		return "", "no instrument entry is configured"
	}
	return "", "no instrument entry matches"
}

// hints say what would select a process that is not traced.
func hints(e discovery.Explanation) []string {
	if e.State == discovery.StateSelected {
		return nil
	}
	pid := strconv.FormatUint(uint64(e.PID), 10)
	out := []string{"`tracer-agent run --pid " + pid + "` would trace it."}
	if len(e.Ports) > 0 {
		out = append(out, fmt.Sprintf("`tracer-agent run --port %d` would trace it: it listens there.", e.Ports[0]))
	}
	if e.Exe != "" {
		out = append(out, "`tracer-agent run --exe '"+e.Exe+"'` would trace it and all others of that executable.")
	}
	return out
}
