// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"
)

// Explanation says why a process is or is not traced.
type Explanation struct {
	PID int `json:"pid"`
	// Exe is the path of its executable; "" if it cannot be read.
	Exe string `json:"exe"`
	// Traced is the verdict.
	Traced bool `json:"traced"`
	// Reason is the verdict's reason as part of a sentence after "because":
	// `instrument[0] matches and nothing excludes it`.
	Reason string `json:"reason"`
	// Rule is the path of the entry that decides: "exclude[1]"; "" if none does.
	Rule string `json:"rule,omitempty"`
	// Service is the service.name its spans have or would have.
	Service string `json:"service,omitempty"`
	// Entries are all entries of the configuration, exclude first, as they decide first.
	Entries []Entry `json:"entries,omitempty"`
	// Hints are commands or changes that would alter the verdict, one sentence each.
	Hints []string `json:"hints,omitempty"`
}

// Entry is one entry of the configuration, compared with the process.
type Entry struct {
	Path     string      `json:"path"` // "instrument[0]"
	Name     string      `json:"name,omitempty"`
	Matches  State       `json:"matches"`
	Criteria []Criterion `json:"criteria,omitempty"`
}

// Criterion is one criterion of an entry, compared with the process.
type Criterion struct {
	Key  string `json:"key"`  // "ports"
	Want string `json:"want"` // as configured: "8080,9000-9010"
	Have string `json:"have"` // as found: "8081"; "" for nothing
	// Matches is Unknown if what the process has cannot be read.
	Matches State `json:"matches"`
}

// writeText prints the explanation for people.
func (e Explanation) writeText(w io.Writer) error {
	if _, err := io.WriteString(w, e.verdict()); err != nil {
		return err
	}
	for _, entry := range e.Entries {
		fmt.Fprintf(w, "\n%s\n", entry.title())
		rows := [][]string{{"CRITERION", "WANTED", "FOUND", "MATCHES"}}
		for _, c := range entry.Criteria {
			rows = append(rows, []string{c.Key, c.Want, orDash(c.Have), string(c.Matches)})
		}
		if err := table(w, "  ", rows); err != nil {
			return err
		}
	}
	for _, hint := range e.Hints {
		if _, err := fmt.Fprintf(w, "\n%s\n", hint); err != nil {
			return err
		}
	}
	return nil
}

func (e Explanation) verdict() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Process %d", e.PID)
	if e.Exe != "" {
		fmt.Fprintf(&b, " (%s)", e.Exe)
	}
	if e.Traced {
		b.WriteString(" is traced")
	} else {
		b.WriteString(" is not traced")
	}
	if e.Reason != "" {
		b.WriteString(", because " + e.Reason)
	}
	b.WriteString(".\n")
	if e.Service != "" {
		fmt.Fprintf(&b, "Service name: %s\n", e.Service)
	}
	return b.String()
}

func (e Entry) title() string {
	title := e.Path
	if e.Name != "" {
		title += " " + e.Name
	}
	switch e.Matches {
	case Yes:
		return title + ": matches"
	case No:
		return title + ": does not match"
	}
	return title + ": cannot be told"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
