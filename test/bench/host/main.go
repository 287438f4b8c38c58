// SPDX-License-Identifier: Apache-2.0

// Command host measures the agent on the machine itself: what it adds to the
// CPU time of nginx, in runs with the agent off and on in turn, and what it
// uses itself. Wall-clock figures of a shared machine are noise; CPU time per
// request, taken as a ratio, is not. Needs root, nginx and bpftool.
//
//	go run ./test/bench/host -agent ./bin/tracer-agent -backend auto -out host.json
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/test/bench/harness"
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
	backend := set.String("backend", "auto", "backend for tracer-agent")
	cases := set.String("cases", "nginx,nginx-full", "what to measure: nginx, nginx-full, go, python, unselected; with commas")
	rate := set.Float64("rate", 20000, "requests per second of the case nginx; nginx-full has no limit")
	pin := set.Bool("pin", true, "servers on processor 0, everything else on the others")
	out := set.String("out", "bench-host.json", "report; its Markdown form goes beside it")
	if err := set.Parse(args); err != nil {
		return err
	}
	if s.Agent == "" && s.AgentFile != "" {
		s.Agent = fmt.Sprintf("%s run --port {port} --backend %s --metrics-listen 127.0.0.1:{metrics}", s.AgentFile, *backend)
	}
	if err := s.Check(); err != nil {
		return err
	}
	if *pin && pinOthers() {
		s.ServerCPU = 0
	}
	if err := measure(*s, strings.Split(*cases, ","), *rate, *out); err != nil {
		return fmt.Errorf("%w (logs in %s)", err, s.Dir)
	}
	return nil
}

func measure(s harness.Settings, names []string, rate float64, out string) error {
	report := harness.NewReport(s, "CPU time of this machine")
	for _, name := range names {
		c, err := caseNamed(name, rate)
		if err != nil {
			return err
		}
		if c.Server == harness.Go {
			if s.GoServer, err = buildGoServer(s.Dir); err != nil {
				return err
			}
		}
		result, err := harness.Run(s, c, slog.Default())
		if err != nil {
			return err
		}
		report.Results = append(report.Results, result)
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

func caseNamed(name string, rate float64) (harness.Case, error) {
	switch name {
	case "nginx":
		// Paced, because agent and load share what processors the server leaves:
		// a server that is flooded gives more requests than can be exported.
		return harness.Case{Name: name, Server: harness.Nginx, Rate: rate, Delay: true, Saturation: true}, nil
	case "nginx-full":
		return harness.Case{Name: name, Server: harness.Nginx, Requests: 50000}, nil
	case "go":
		return harness.Case{Name: name, Server: harness.Go}, nil
	case "python":
		return harness.Case{Name: name, Server: harness.Python}, nil
	case "unselected":
		return harness.Case{Name: name, Server: harness.Nginx, Unselected: true}, nil
	}
	return harness.Case{}, fmt.Errorf("unknown case %q", name)
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
