// SPDX-License-Identifier: Apache-2.0

// Command driver runs the benchmark's cases inside a guest whose clock counts
// instructions; test/bench/vm/run.sh starts it there. The report goes to -out.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/tracer-agent/tracer-agent/test/bench/harness"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// limits are the project's own.
var limits = harness.Limits{
	AddedUS: map[string]float64{"nginx": 4, "go": 4, "python": 5, "unselected": 1},
	AgentUS: 10, Runs: 6,
	RSSMB: 40, PeakMB: 60, MapMB: 24, BinaryMB: 25,
	FirstSpanS: 1.5, DelayMS: 2000, Losses: true,
}

func run(args []string) error {
	set := flag.NewFlagSet("driver", flag.ContinueOnError)
	s := harness.Flags(set)
	list := set.String("cases", "nginx,go,python,unselected", "cases to measure, with commas")
	set.StringVar(&s.Backend, "backend", "auto", "tracer-agent's backend")
	out := set.String("out", "/out/bench.json", "report; its Markdown form goes beside it")
	if err := set.Parse(args); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	cases, err := harness.Cases(*list, 0)
	if err != nil {
		return err
	}
	report := harness.NewReport(*s, "instructions of one CPU, 1000 to the microsecond")
	var failed error
	for _, c := range cases {
		results, err := harness.Run(*s, c, slog.Default())
		if err != nil {
			failed = err // the other cases may tell why
			slog.Error("case failed", "case", c.Name, "error", err)
			continue
		}
		report.Results = append(report.Results, results...)
	}
	if s.Agent != harness.None {
		report.SetBars(limits)
	}
	fmt.Print(report.Markdown())
	if err := report.Write(*out); err != nil {
		return err
	}
	return failed
}
