// SPDX-License-Identifier: Apache-2.0

// Command tracer-agent traces the HTTP requests of unmodified processes from
// inside the Linux kernel. "tracer-agent --help" tells the rest.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"

	"github.com/tracer-agent/tracer-agent/internal/agent"
	"github.com/tracer-agent/tracer-agent/internal/cli"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/demo"
	"github.com/tracer-agent/tracer-agent/internal/event"
)

// Set by the linker for releases (-ldflags "-X main.version=v0.1.0 ..."); else
// what the Go tool recorded is shown.
var version, commit, date string

func main() {
	if len(os.Args) > 1 && os.Args[1] == demo.Argument { // a child of "tracer-agent demo"
		os.Exit(serveDemo(os.Args[2:]))
	}
	// The OTLP clients read the standard variables too, and log those that are
	// wrong with their values, secrets among them. The agent reports them itself.
	otel.SetLogger(logr.Discard())
	os.Exit(cli.Main(deps()))
}

func serveDemo(args []string) int {
	if err := demo.Main(args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "tracer-agent: %v\n", err)
		return 1
	}
	return 0
}

func deps() cli.Deps {
	return cli.Deps{
		Run: func(ctx context.Context, cfg config.Config, o cli.RunOptions, out io.Writer, log *slog.Logger) error {
			return agent.Run(ctx, cfg, agent.Options{
				Version: version, Out: out, Log: log, Reload: agent.Reload(o.Reload), Record: agent.Recording(o.Record),
			})
		},
		Replay: agent.ReplayFile,
		Check:  agent.Check,
		Why:    agent.Why,
		Demo:   agent.Demo,
		Build:  cli.Build{Version: version, Commit: commit, Date: date, ABI: event.Version},
	}
}
