// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

// flagSet is the configuration that can be given by flags.
type flagSet struct {
	file          string
	ports         portsValue
	exe           []string
	pids          pidsValue
	excludeExe    []string
	backend       string
	stdout        string
	metricsListen string
	logLevel      string
}

// portsValue collects ports over several --port flags.
type portsValue config.Ports

// String implements pflag.Value.
func (v *portsValue) String() string { return config.Ports(*v).String() }

// Type implements pflag.Value: what help shows for the value.
func (v *portsValue) Type() string { return "list" }

// Set implements pflag.Value.
func (v *portsValue) Set(text string) error {
	ports, err := config.ParsePorts(text)
	*v = append(*v, ports...)
	return err
}

// pidsValue collects process ids over several --pid flags.
type pidsValue []int

// String implements pflag.Value.
func (v *pidsValue) String() string { return strings.Trim(fmt.Sprint([]int(*v)), "[]") }

// Type implements pflag.Value.
func (v *pidsValue) Type() string { return "list" }

// Set implements pflag.Value.
func (v *pidsValue) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		pid, err := parsePID(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		*v = append(*v, pid)
	}
	return nil
}

// parsePID reads a process id of this kernel: 1 to 2^22.
func parsePID(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || n > 1<<22 {
		return 0, fmt.Errorf("%q is not a process id", s)
	}
	return int(n), nil
}

// addFile declares --config.
func (f *flagSet) addFile(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.file, "config", "", "read the configuration from this YAML `FILE`")
}

// addSelection declares the flags that select processes.
func (f *flagSet) addSelection(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.ports, "port", "trace processes that listen on one of these TCP `PORTS`: 8080,9000-9010")
	flags.StringArrayVar(&f.exe, "exe", nil, "trace processes whose executable's path matches this `GLOB`: '**/nginx'")
	flags.Var(&f.pids, "pid", "trace these processes, by their `IDS`: 12,34")
	flags.StringArrayVar(&f.excludeExe, "exclude-exe", nil, "never trace processes whose executable matches this `GLOB`")
}

// addBackend declares --backend.
func (f *flagSet) addBackend(cmd *cobra.Command) {
	word(cmd, &f.backend, "backend", "kernel.backend", "hook into the kernel by this `BACKEND`")
}

// addOutput declares the flags that say where spans, counters and log go.
func (f *flagSet) addOutput(cmd *cobra.Command) {
	word(cmd, &f.stdout, "stdout", "export.stdout", "print spans to standard output in this `FORMAT`")
	cmd.Flags().StringVar(&f.metricsListen, "metrics-listen", "", "serve /metrics, /healthz and /readyz at this `ADDRESS`: 127.0.0.1:9464")
	word(cmd, &f.logLevel, "log-level", "log.level", "log to standard error from this `LEVEL` on")
}

// word declares a flag for a key that accepts certain words only, which help
// lists and completion offers.
func word(cmd *cobra.Command, value *string, name, path, usage string) {
	var words []string
	for _, k := range config.Keys() {
		if k.Path == path {
			words = k.Words
			usage = fmt.Sprintf("%s (%s)", usage, k.Allowed)
		}
	}
	cmd.Flags().StringVar(value, name, "", usage)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// load joins file, environment and the flags that were given.
func (f *flagSet) load(env []string, given *pflag.FlagSet) (config.Config, error) {
	return f.source(env, given).Load()
}

// source is file, environment and the flags that were given.
func (f *flagSet) source(env []string, given *pflag.FlagSet) config.Source {
	source := config.Source{File: f.file, Env: env}
	for _, flag := range f.settings() {
		if given.Changed(flag.Name) {
			flag.Name = "--" + flag.Name
			source.Flags = append(source.Flags, flag)
		}
	}
	return source
}

// settings says what each flag does, by its bare name.
func (f *flagSet) settings() []config.Flag {
	entry := func(key string, s config.Selector) func(*config.Config) string {
		return func(c *config.Config) string {
			c.Instrument = append(c.Instrument, config.Instrument{Selector: s})
			return fmt.Sprintf("instrument[%d].%s", len(c.Instrument)-1, key)
		}
	}
	return []config.Flag{
		{Name: "port", Set: entry("ports", config.Selector{Ports: config.Ports(f.ports)})},
		{Name: "exe", Set: entry("exe", config.Selector{Exe: f.exe})},
		{Name: "pid", Set: entry("pids", config.Selector{Pids: f.pids})},
		{Name: "exclude-exe", Set: func(c *config.Config) string {
			c.Exclude = append(c.Exclude, config.Selector{Exe: f.excludeExe})
			return fmt.Sprintf("exclude[%d].exe", len(c.Exclude)-1)
		}},
		{Name: "backend", Set: func(c *config.Config) string { c.Kernel.Backend = f.backend; return "kernel.backend" }},
		{Name: "stdout", Set: func(c *config.Config) string { c.Export.Stdout = f.stdout; return "export.stdout" }},
		{Name: "metrics-listen", Set: func(c *config.Config) string { c.Metrics.Listen = f.metricsListen; return "metrics.listen" }},
		{Name: "log-level", Set: func(c *config.Config) string { c.Log.Level = f.logLevel; return "log.level" }},
	}
}
