// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/internal/caps"
	"github.com/tracer-agent/tracer-agent/internal/cli"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/probes"
)

// Check finds out what this machine allows, by trying it with nothing selected.
func Check(ctx context.Context, cfg config.Config) cli.Report {
	r := cli.Report{Kernel: kernelName(), Capabilities: capabilities()}
	want := probes.Backend(cfg.Kernel.Backend)
	for _, f := range probes.Features(probeOptions(cfg, rulesOf(cfg))) {
		one := cli.Feature{Name: f.Name, State: cli.Yes, NeededFor: f.NeededFor, Required: f.Required, Detail: f.Detail}
		if f.Err != nil {
			one.State, one.Detail = cli.No, firstLine(f.Err)
		} else if b, ok := strings.CutPrefix(f.Name, "backend "); ok && r.Backend == "" &&
			(want == probes.Auto || want == "" || string(want) == b) {
			r.Backend = b
		}
		r.Features = append(r.Features, one)
	}
	if f, ok := checkKubernetes(ctx, cfg); ok {
		r.Features = append(r.Features, f)
	}
	return r
}

// checkKubernetes asks the Kubernetes API, false if it would not be asked.
func checkKubernetes(ctx context.Context, cfg config.Config) (cli.Feature, bool) {
	rules := rulesOf(cfg)
	f := cli.Feature{Name: "Kubernetes API", NeededFor: "selection by pod, k8s attributes", Required: rules.UsesPods(), State: cli.No}
	cluster, stop, err := askCluster(ctx, cfg, rules)
	defer stop()
	switch {
	case err != nil:
		f.Detail = err.Error()
	case cluster == nil:
		return f, false
	case cluster.Stats().Synced:
		s := cluster.Stats()
		f.State, f.Detail = cli.Yes, fmt.Sprintf("%d pods of this node, %d namespaces", s.Pods, s.Namespaces)
	case cluster.LastFailure() != nil:
		f.Detail = cluster.LastFailure().Error()
	default:
		f.Detail = "no answer within " + clusterWait.String()
	}
	return f, true
}

func kernelName() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Sprintf("unknown (%v)", err)
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

// firstLine leaves out verifier logs and the list of other causes.
func firstLine(err error) string {
	lines := strings.Split(err.Error(), "\n")
	return lines[len(lines)-1]
}

// capabilities lists those that matter, and whether this process has them in effect.
func capabilities() []cli.Capability {
	list := []struct {
		bit       int
		name, use string
		required  bool
	}{
		{unix.CAP_BPF, "CAP_BPF", "loading programs and maps (CAP_SYS_ADMIN stands for it)", true},
		{unix.CAP_PERFMON, "CAP_PERFMON", "attaching tracing programs (CAP_SYS_ADMIN stands for it)", true},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "reading executable and environment of other users' processes", false},
		{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "reading /proc of other users' processes", false},
		{unix.CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", "locking memory for maps before Linux 5.11", false},
	}
	held, err := caps.Effective()
	if err != nil {
		held = 0 // shown as not held
	}
	admin := held.Has(caps.Of(unix.CAP_SYS_ADMIN))
	var out []cli.Capability
	for _, c := range list {
		has := held.Has(caps.Of(c.bit)) || admin && c.required
		out = append(out, cli.Capability{Name: c.name, Held: has, NeededFor: c.use, Required: c.required})
	}
	return out
}
