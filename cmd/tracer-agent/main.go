// SPDX-License-Identifier: Apache-2.0

// Command tracer-agent traces the HTTP requests of unmodified processes from
// inside the Linux kernel. "tracer-agent --help" tells the rest.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/tracer-agent/tracer-agent/internal/cli"
	"github.com/tracer-agent/tracer-agent/internal/config"
)

// Set by the linker for releases (-ldflags "-X main.version=v0.1.0 ..."); else
// what the Go tool recorded is shown.
var version, commit, date string

func main() { os.Exit(cli.Main(deps())) }

func deps() cli.Deps {
	errNoTracer := errors.New("this build has no tracer")
	return cli.Deps{
		Run: func(context.Context, config.Config, io.Writer, *slog.Logger) error { return errNoTracer },
		Check: func(context.Context, config.Config) cli.Report {
			return cli.Report{Kernel: "not examined: " + errNoTracer.Error()}
		},
		Why: func(context.Context, int, config.Config) (cli.Explanation, error) {
			return cli.Explanation{}, errNoTracer
		},
		Demo:  func(context.Context, io.Writer) error { return errNoTracer },
		Build: cli.Build{Version: version, Commit: commit, Date: date, ABI: 1},
	}
}
