// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/tracer-agent/tracer-agent/test/bench/harness"
)

// accepted are figures on the instruction clock, in instructions per request, by
// name.
type accepted map[string]float64

// How much a figure may rise: a share of what was accepted, and what repeats of
// the same run differ by.
const (
	mayRise = 0.05
	repeats = 50 // instructions
)

// figuresOf names what is held against accepted figures: what the server of a
// selected process pays (in the path), what one that is not selected pays (as a
// bystander), and what the agent uses.
func figuresOf(r *harness.Report) accepted {
	found := accepted{}
	for i := range r.Results {
		c := &r.Results[i]
		if c.Other || c.Group != "" {
			continue
		}
		name := fmt.Sprintf("%s, kernel %s", c.Label(), series(r.Kernel))
		if c.Unselected {
			found["bystander: "+name] = round(c.AddedUS)
			continue
		}
		found["in path: "+name] = round(c.AddedUS)
		found["agent: "+name] = round(c.AgentUS)
	}
	return found
}

// series is the first two numbers of a kernel's version.
func series(release string) string {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return release
	}
	return fmt.Sprintf("%d.%d", major, minor)
}

// round turns microseconds of the instruction clock into instructions.
func round(us float64) float64 { return float64(int64(us*1000 + 0.5)) }

// accept compares the report with the accepted figures in file. With update it
// takes the report's over, beside those of other kernels, backends and cases.
func accept(file string, r *harness.Report, update bool) error {
	old := accepted{}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &old)
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("accepted figures: %w", err)
	}
	now := figuresOf(r)
	if len(now) == 0 {
		return errors.New("the report has no figure to accept")
	}
	if update {
		maps.Copy(old, now)
		return write(file, old)
	}
	risen := 0
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, known := old[name]
		verdict := "as accepted"
		switch {
		case !known:
			verdict = "new: nothing was accepted"
		case now[name] > was*(1+mayRise)+repeats:
			verdict = "RISEN"
			risen++
		case now[name] < was*(1-mayRise)-repeats:
			verdict = "lower: worth accepting"
		}
		fmt.Printf("%-60s %8.0f, accepted %8.0f: %s\n", name, now[name], was, verdict)
	}
	if risen > 0 {
		return fmt.Errorf("%d figures rose by more than %.0f %% (make bench-vm ACCEPT=1 accepts them)", risen, 100*mayRise)
	}
	return nil
}

func write(file string, a accepted) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("encode accepted figures: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("accepted figures: %w", err)
	}
	return nil
}
