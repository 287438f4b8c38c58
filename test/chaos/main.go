// SPDX-License-Identifier: Apache-2.0

// Command chaos puts the agent into trouble, one fault at a time, and writes one
// table of faults and outcomes. After each it requires that every request is a
// span at the collector or a counted drop, that the agent lives, ends in order
// and keeps its memory bounded, that the applications saw no error, and that the
// kernel's log is clean. Needs root and python3.
//
//	go run ./test/chaos -agent bin/tracer-agent -out docs/faults.md
//
// The same binary is the applications: "chaos serve" and "chaos crowd".
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/tracer-agent/tracer-agent/test/rig"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "serve":
		err = serve(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "crowd":
		err = crowd(os.Args[2:])
	default:
		err = run(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// settings is how to run the faults.
type settings struct {
	agent       string        // the agent's binary
	self        string        // this binary, for applications
	dir         string        // logs
	fault       time.Duration // how long a fault of the collector lasts
	outage      time.Duration // the long one
	processes   int           // that start and end, in churn
	churn       time.Duration
	connections int // of the crowd
	percent     int // of a processor, for an agent that has little of it
}

func run(args []string) error {
	set := flag.NewFlagSet("chaos", flag.ContinueOnError)
	s := settings{}
	set.StringVar(&s.agent, "agent", "bin/tracer-agent", "the agent's binary")
	set.StringVar(&s.dir, "dir", "", "folder for logs (default: a temporary one)")
	set.DurationVar(&s.fault, "fault", 8*time.Second, "how long a fault of the collector lasts")
	set.DurationVar(&s.outage, "outage", 2*time.Minute, "how long the collector is away in the long outage")
	set.IntVar(&s.processes, "processes", 5000, "processes that start and end")
	set.DurationVar(&s.churn, "churn", time.Minute, "time in which they do")
	set.IntVar(&s.connections, "connections", 50000, "connections of the crowd")
	set.IntVar(&s.percent, "percent", 5, "per cent of a processor for the agent that has little of it")
	only := set.String("only", "", "regular expression: the faults to run, by name")
	backends := set.String("backends", "", "regular expression: the backends to run on (default: all that this kernel allows)")
	out := set.String("out", "", "Markdown file for the table")
	if err := set.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(s, *only, *backends)
	if err != nil {
		return err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "chaos."); err != nil {
			return fmt.Errorf("make a folder for logs: %w", err)
		}
	}
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	return report(s, chosen, *out)
}

// choose returns the faults to run, with their backends.
func choose(s settings, only, backends string) ([]trial, error) {
	byName, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	byBackend, err := regexp.Compile(backends)
	if err != nil {
		return nil, err
	}
	all, err := rig.Backends(s.agent)
	if err != nil {
		return nil, err
	}
	var working []string
	for _, b := range all {
		if b.Works && byBackend.MatchString(b.Name) {
			working = append(working, b.Name)
		}
	}
	if len(working) == 0 {
		return nil, fmt.Errorf("no backend that matches %q works here", backends)
	}
	var chosen []trial
	for _, f := range faults() {
		if !byName.MatchString(f.name) {
			continue
		}
		if f.everyBackend {
			for _, b := range working {
				chosen = append(chosen, trial{f, b})
			}
		} else {
			chosen = append(chosen, trial{f, working[0]})
		}
	}
	return chosen, nil
}

// report runs the trials one after the other and writes the table.
func report(s settings, chosen []trial, out string) error {
	var rows []outcome
	failed := 0
	for i, t := range chosen {
		begin := time.Now()
		row := t.run(s, i)
		rows = append(rows, row)
		if len(row.problems) > 0 {
			failed++
		}
		slog.Info("fault", "name", t.fault.name, "backend", t.backend, "requests", row.requests, "spans", row.spans,
			"dropped", row.books.dropped(), "problems", row.problems, "took", time.Since(begin).Round(time.Second))
	}
	text := page(rows)
	fmt.Print(text)
	if out != "" {
		if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d trials failed; logs are in %s", failed, len(rows), s.dir)
	}
	return nil
}
