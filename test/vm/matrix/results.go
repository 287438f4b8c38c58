// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// results is what one guest found out.
type results struct {
	kernel   string // "6.1-arm64": what was asked for
	release  string // "6.1.0-50-cloud-arm64": what ran
	set      string // verifier, quick or full: how much was asked
	date     string // of the run, 2026-01-31
	commit   string
	backends map[string]verdict
	outcomes []outcome
	insns    map[string]int // by backend and program: "fentry/tcp_send"
	text     string         // the file
}

// verdict is what the agent's check says of a backend.
type verdict struct {
	works  bool
	detail string
}

// outcome is one case with one backend; backend is "all" for what has none.
type outcome struct {
	backend, name string
	result        string // pass, skip or FAIL
	seconds       float64
	said          []string // by a case that failed
}

// readResults parses a file of lines "WORD VALUE...". A guest that died has
// left a part, which the missing end tells.
func readResults(path string) (*results, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	r := &results{
		kernel: strings.TrimSuffix(filepath.Base(path), ".txt"), text: string(data),
		backends: map[string]verdict{}, insns: map[string]int{},
	}
	for n, line := range strings.Split(strings.TrimSpace(r.text), "\n") {
		if err := r.parse(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("%s:%d: %q: %w", path, n+1, line, err)
		}
	}
	return r, nil
}

func (r *results) parse(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("want a word and its value")
	}
	value := strings.Join(words[1:], " ")
	switch words[0] {
	case "release":
		r.release = value
	case "set":
		r.set = value
	case "date":
		r.date = value
	case "commit":
		r.commit = value
	case "backend":
		name, rest, _ := strings.Cut(value, " ")
		answer, detail, _ := strings.Cut(rest, " ")
		r.backends[name] = verdict{works: answer == "yes", detail: detail}
	case "case":
		if len(words) != 5 {
			return fmt.Errorf("want backend, case, outcome and seconds")
		}
		seconds, err := strconv.ParseFloat(words[4], 64)
		if err != nil {
			return fmt.Errorf("seconds: %w", err)
		}
		r.outcomes = append(r.outcomes, outcome{backend: words[1], name: words[2], result: words[3], seconds: seconds})
	case "said":
		if len(r.outcomes) == 0 {
			return fmt.Errorf("want a case before")
		}
		last := &r.outcomes[len(r.outcomes)-1]
		last.said = append(last.said, value)
	case "insns":
		if len(words) != 4 {
			return fmt.Errorf("want backend, program and count")
		}
		count, err := strconv.Atoi(words[3])
		if err != nil {
			return fmt.Errorf("count: %w", err)
		}
		r.insns[words[1]+"/"+words[2]] = count
	default:
		return fmt.Errorf("unknown word %q", words[0])
	}
	return nil
}

// of returns the outcome of a case with a backend, "" if it did not run.
func (r *results) of(backend, name string) string {
	for _, o := range r.outcomes {
		if o.backend == backend && o.name == name {
			return o.result
		}
	}
	return ""
}

// failures lists what is wrong with r by itself.
func (r *results) failures() []string {
	var wrong []string
	for _, o := range r.outcomes {
		if o.result != "pass" && o.result != "skip" {
			wrong = append(wrong, fmt.Sprintf("%s: %s: %s: %s", r.kernel, o.backend, o.name, o.result))
			for _, line := range o.said {
				wrong = append(wrong, "  "+line)
			}
		}
	}
	if r.of("all", "kernel-log") == "" {
		wrong = append(wrong, r.kernel+": the guest did not get to the end")
	}
	for _, b := range backends() {
		if claimed(r.release, b) && !r.backends[b].works {
			wrong = append(wrong, fmt.Sprintf("%s: %s should work: %s", r.kernel, b, r.backends[b].detail))
		}
	}
	return wrong
}

// series is the first two numbers of the release: 6.1.
func (r *results) series() string {
	major, rest, _ := strings.Cut(r.release, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

// summary is a line for people.
func (r *results) summary() string {
	count := map[string]int{}
	var seconds float64
	for _, o := range r.outcomes {
		count[o.result]++
		seconds += o.seconds
	}
	var works []string
	for _, b := range backends() {
		if r.backends[b].works {
			works = append(works, b)
		}
	}
	return fmt.Sprintf("%s (%s): %d passed, %d skipped, %d failed, %.0f s of the guest's time; %s",
		r.kernel, r.release, count["pass"], count["skip"], len(r.outcomes)-count["pass"]-count["skip"], seconds, strings.Join(works, ", "))
}

// keep stores the file among those that the documentation shows.
func (r *results) keep(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, r.kernel+".txt"), []byte(r.text), 0o644); err != nil {
		return fmt.Errorf("keep results of %s: %w", r.kernel, err)
	}
	return nil
}
