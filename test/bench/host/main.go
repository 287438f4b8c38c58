// SPDX-License-Identifier: Apache-2.0

// Command host measures the agent on the machine itself: what it adds to the
// CPU time of servers, in runs with the agent off and on in turn, and what it
// uses itself, on each backend. Wall-clock figures of a shared machine are
// noise; CPU time per request, taken as a ratio, is not. Needs root, nginx,
// python3 and bpftool.
//
//	go run ./test/bench/host -agent ./bin/tracer-agent -out host.json
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/test/bench/harness"
	"github.com/tracer-agent/tracer-agent/test/rig"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	set := flag.NewFlagSet("host", flag.ContinueOnError)
	s := harness.Flags(set)
	backends := set.String("backends", "all", "tracer-agent's backends, with commas; all: those that this kernel allows; for another agent: none")
	list := set.String("cases", "nginx,nginx-full,unselected,processes,idle,body", "what to measure, with commas")
	rate := set.Float64("rate", 20000, "requests per second of the paced cases; nginx-full and body have no limit")
	pin := set.Bool("pin", true, "servers on processor 0, everything else on the others")
	out := set.String("out", "bench-host.json", "report; its Markdown form goes beside it")
	if err := set.Parse(args); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	cases, err := harness.Cases(*list, *rate)
	if err != nil {
		return err
	}
	names, err := backendNames(*s, *backends)
	if err != nil {
		return err
	}
	if *pin && pinOthers() {
		s.ServerCPU = 0
	}
	if err := measure(*s, names, cases, *out); err != nil {
		return fmt.Errorf("%w (logs in %s)", err, s.Dir)
	}
	return nil
}

// backendNames are the backends to measure; one without a name for an agent that
// has no choice of them.
func backendNames(s harness.Settings, list string) ([]string, error) {
	if !strings.Contains(s.Agent, "{backend}") {
		return []string{""}, nil
	}
	if list != "all" {
		return strings.Split(list, ","), nil
	}
	all, err := rig.Backends(s.AgentFile)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, b := range all {
		if b.Works {
			names = append(names, b.Name)
		}
	}
	return names, nil
}

func measure(s harness.Settings, backends []string, cases []harness.Case, out string) (err error) {
	if slices.ContainsFunc(cases, func(c harness.Case) bool { return c.Server == harness.Go }) {
		if s.GoServer, err = buildGoServer(s.Dir); err != nil {
			return err
		}
	}
	report := harness.NewReport(s, "CPU time of this machine")
	for _, backend := range backends {
		s.Backend = backend
		for _, c := range cases {
			results, err := harness.Run(s, c, slog.Default())
			if err != nil {
				return err
			}
			report.Results = append(report.Results, results...)
			if err := report.Write(out); err != nil { // what follows may fail, or be stopped
				return err
			}
		}
	}
	if s.Agent != harness.None {
		report.SetBars(limits)
	}
	fmt.Print(report.Markdown())
	return report.Write(out)
}

// limits are the project's own.
var limits = harness.Limits{
	AddedPercent: map[string]float64{"nginx": 8, "nginx-full": 8},
	RSSMB:        40, PeakMB: 60, MapMB: 24, BinaryMB: 25,
	FirstSpanS: 1.5, DelayMS: 2000, Losses: true,
}

// pinOthers moves this process, and what it will start, off processor 0. It
// reports false where there is only one.
func pinOthers() bool {
	var cpus unix.CPUSet
	if unix.SchedGetaffinity(0, &cpus) != nil || cpus.Count() < 2 || !cpus.IsSet(0) {
		return false
	}
	cpus.Clear(0)
	threads, _ := filepath.Glob("/proc/self/task/*")
	for _, thread := range threads {
		id, _ := strconv.Atoi(filepath.Base(thread))
		if unix.SchedSetaffinity(id, &cpus) != nil {
			return false
		}
	}
	return true
}

func buildGoServer(dir string) (string, error) {
	file := filepath.Join(dir, "goserver")
	output, err := exec.Command("go", "build", "-o", file, "./test/bench/goserver").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the Go server: %w: %s", err, output)
	}
	return file, nil
}
