// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

// State is the result of trying whether something is possible.
type State string

// The states. A feature is unknown if the attempt failed for another reason
// than its absence, for example for want of a capability.
const (
	Yes     State = "yes"
	No      State = "no"
	Unknown State = "unknown"
)

// Report says what this machine allows the agent to do.
type Report struct {
	// Kernel is release and machine: "6.18.0 x86_64".
	Kernel string `json:"kernel"`
	// Backend is what `run` would use; "" if none is possible.
	Backend string `json:"backend"`
	// Features of the kernel, in the order to print.
	Features []Feature `json:"features,omitempty"`
	// Capabilities that matter to the agent, in the order to print.
	Capabilities []Capability `json:"capabilities,omitempty"`
	// Problems of the configuration; the command line adds those of loading it.
	Problems config.Problems `json:"problems"`
	// Warnings of the configuration: what is unwise about it.
	Warnings config.Problems `json:"warnings,omitempty"`
}

// Feature is one thing the kernel may be able to do.
type Feature struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// NeededFor says what does not work without it: "backend fentry".
	NeededFor string `json:"needed_for"`
	// Required says that nothing works without it.
	Required bool `json:"required"`
	// Detail says why the state is what it is; may be empty.
	Detail string `json:"detail,omitempty"`
}

// Capability is one Linux capability.
type Capability struct {
	Name      string `json:"name"` // "CAP_BPF"
	Held      bool   `json:"held"`
	NeededFor string `json:"needed_for"`
	Required  bool   `json:"required"`
}

// Missing lists what is required and not there, in words. A required feature
// whose state is unknown is not missing: the choice of a backend tells.
func (r Report) Missing() []string {
	var missing []string
	for _, f := range r.Features {
		if f.Required && f.State == No {
			missing = append(missing, f.Name)
		}
	}
	for _, c := range r.Capabilities {
		if c.Required && !c.Held {
			missing = append(missing, c.Name)
		}
	}
	if r.Backend == "" {
		missing = append(missing, "a backend that attaches")
	}
	return missing
}

// exitCode is that of `check`.
func (r Report) exitCode() int {
	switch {
	case len(r.Problems) > 0:
		return exitUsage
	case len(r.Missing()) > 0:
		return exitFailure
	}
	return exitOK
}

// writeText prints the report for people.
func (r Report) writeText(w io.Writer) error {
	fmt.Fprintf(w, "Kernel %s\n\n", r.Kernel)
	rows := [][]string{{"KERNEL FEATURE", "STATE", "NEEDED FOR"}}
	for _, f := range r.Features {
		rows = append(rows, []string{f.Name, string(f.State), note(f.NeededFor, f.Required, f.Detail)})
	}
	if err := table(w, "", rows); err != nil {
		return err
	}
	rows = [][]string{{"\nCAPABILITY", "HELD", "NEEDED FOR"}}
	for _, c := range r.Capabilities {
		rows = append(rows, []string{c.Name, yesNo(c.Held), note(c.NeededFor, c.Required, "")})
	}
	if err := table(w, "", rows); err != nil {
		return err
	}
	return r.writeVerdict(w)
}

func (r Report) writeVerdict(w io.Writer) error {
	var b strings.Builder
	if len(r.Problems) == 0 {
		b.WriteString("\nConfiguration: no problems\n")
	} else {
		fmt.Fprintf(&b, "\nConfiguration: %s\n", plural(len(r.Problems), "problem"))
		for _, p := range r.Problems {
			fmt.Fprintf(&b, "%s\n", p)
		}
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if missing := r.Missing(); len(missing) > 0 {
		fmt.Fprintf(&b, "\nThis machine cannot trace: missing %s\n", strings.Join(missing, ", "))
	} else {
		fmt.Fprintf(&b, "\nThis machine can trace, by backend %s\n", r.Backend)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// note is the last column: what for, whether it must be there, and why it is not.
func note(neededFor string, required bool, detail string) string {
	if required {
		neededFor += " (required)"
	}
	if detail != "" {
		neededFor += ": " + detail
	}
	return neededFor
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
