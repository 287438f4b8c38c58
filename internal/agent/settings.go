// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"log/slog"
	"os"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/discovery"
	"github.com/tracer-agent/tracer-agent/probes"
)

// rulesOf turns the user's selection into discovery's rules.
func rulesOf(cfg config.Config) discovery.Rules {
	var r discovery.Rules
	for _, in := range cfg.Instrument {
		rule := ruleOf(in.Selector)
		rule.Name, rule.Routes = in.Name, in.Routes
		r.Include = append(r.Include, rule)
	}
	for _, ex := range cfg.Exclude {
		r.Exclude = append(r.Exclude, ruleOf(ex))
	}
	return r
}

func ruleOf(s config.Selector) discovery.Rule {
	r := discovery.Rule{
		Exe: s.Exe, Cmdline: s.Cmdline, PIDs: s.Pids,
		Units: s.Units, Containers: s.Containers, Users: s.Users,
		Namespaces: s.Namespaces, NamespaceLabels: s.NamespaceLabels, PodLabels: s.PodLabels, PodAnnotations: s.PodAnnotations, Workloads: s.Workloads,
	}
	for _, p := range s.Ports {
		r.Ports = append(r.Ports, discovery.PortRange(p))
	}
	return r
}

func probeOptions(cfg config.Config, rules discovery.Rules) probes.Options {
	o := probes.Options{
		Backend:      probes.Backend(cfg.Kernel.Backend),
		RequestHead:  cfg.HTTP.RequestHeadBytes,
		ResponseHead: cfg.HTTP.ResponseHeadBytes,
		RingBytes:    cfg.Kernel.RingBytes,
		Processes:    cfg.Kernel.MaxProcesses,
		Connections:  cfg.Kernel.MaxConnections,
	}
	for _, group := range [][]discovery.Rule{rules.Include, rules.Exclude} {
		for _, r := range group {
			o.SelectCgroups = o.SelectCgroups || len(r.Units) > 0 || len(r.Containers) > 0
		}
	}
	o.Ports = max(ports(rules), sparePorts)
	return o
}

// sparePorts is the least room for named ports: a new configuration may name more.
const sparePorts = 1024

// ports is the number of ports that the rules name.
func ports(rules discovery.Rules) int {
	n := 0
	for _, group := range [][]discovery.Rule{rules.Include, rules.Exclude} {
		for _, r := range group {
			for _, p := range r.Ports {
				n += int(p.Last) - int(p.First) + 1
			}
		}
	}
	return min(n, 1<<16)
}

func discoveryOptions(log *slog.Logger, version string) discovery.Options {
	return discovery.Options{Version: version, Self: uint32(os.Getpid()), Log: log}
}

func queueConfig(cfg config.Config) export.QueueConfig {
	return export.QueueConfig{
		Spans: cfg.Export.QueueSpans, Bytes: cfg.Export.QueueBytes, BatchSpans: cfg.Export.BatchSpans, BatchDelay: cfg.Export.BatchDelay,
	}
}

// newExporter returns the exporter that cfg asks for, and what to call it.
func newExporter(ctx context.Context, cfg config.Config, opts Options) (export.Exporter, string, error) {
	if opts.Extra != nil {
		return opts.Extra, "internal", nil
	}
	var printer export.Exporter
	switch cfg.Export.Stdout {
	case "text":
		printer = export.NewText(opts.Out)
	case "json":
		printer = export.NewJSON(opts.Out)
	}
	if !cfg.Export.OTLP.Enabled {
		return printer, cfg.Export.Stdout, nil
	}
	o := cfg.Export.OTLP
	oc := export.OTLPConfig{
		Protocol: o.Protocol, Endpoint: o.Endpoint, Headers: o.Headers, Compression: o.Compression, Timeout: o.Timeout,
		CAFile: o.TLS.CAFile, CertFile: o.TLS.CertFile, KeyFile: o.TLS.KeyFile,
		InsecureSkipVerify: o.TLS.InsecureSkipVerify, Version: opts.Version,
	}
	if o.TLS.Insecure {
		oc.Insecure = &o.TLS.Insecure
	}
	exp, err := export.NewOTLP(ctx, oc, opts.Log)
	if err != nil {
		return nil, "", err
	}
	name := "otlp"
	if s, ok := exp.(interface{ String() string }); ok {
		name = s.String()
	}
	if printer != nil {
		return export.NewTee(exp, printer), name + "+" + cfg.Export.Stdout, nil
	}
	return exp, name, nil
}
