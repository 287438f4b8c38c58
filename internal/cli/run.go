// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

const runHelp = `Trace the selected processes until SIGINT or SIGTERM, then send what is still
queued and end. SIGHUP, or a change of the configuration file, puts its
instrument and exclude entries in force anew.

--port, --exe and --pid select processes. Given together they select what any
of them selects; each adds one entry to those of the configuration file. Only a
file can ask for several criteria at once. --exclude-exe always wins.

Spans go to the OpenTelemetry collector that the file (export.otlp.endpoint) or
the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT) name. Without a collector
and without --stdout they are printed as text.`

const runExamples = `  tracer-agent run --port 8080,9000-9010
  tracer-agent run --exe '**/nginx' --exe '/usr/bin/python3*' --stdout json
  tracer-agent run --config /etc/tracer-agent.yaml
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 tracer-agent run --pid 1234`

const nothingSelected = `nothing is selected, so there is nothing to trace. Say what to trace by at
least one of

  --port 8080          what listens on a TCP port, or on a range: 9000-9010
  --exe '**/nginx'     what runs an executable
  --pid 1234           one process
  --config FILE        a file with instrument entries

"tracer-agent demo" shows tracing at work without a service of your own.`

// defaultRecordLimit has room for a few hundred thousand requests.
const defaultRecordLimit = 256 << 20

func newRun(call Invocation, deps Deps) *cobra.Command {
	var flags flagSet
	var recording Recording
	cmd := &cobra.Command{
		Use: "run", Short: "Trace the selected processes", Long: runHelp, Example: runExamples, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source := flags.source(call.Env, cmd.Flags())
			load := func() (config.Config, error) {
				cfg, err := source.Load()
				if !cfg.Export.OTLP.Enabled && cfg.Export.Stdout == "" {
					cfg.Export.Stdout = "text"
				}
				return cfg, err
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			if len(cfg.Instrument) == 0 {
				return usage(cmd, "%s", nothingSelected)
			}
			log, err := newLogger(call.Err, cfg.Log)
			if err != nil {
				return err
			}
			for _, w := range source.Warnings(cfg) {
				log.Warn("configuration", "warning", w.String())
			}
			opts := RunOptions{Reload: Reload{File: flags.file, Load: load}, Record: recording}
			err = deps.Run(cmd.Context(), cfg, opts, call.Out, log)
			if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil // it was told to stop, and did
			}
			return err
		},
	}
	flags.addFile(cmd)
	flags.addSelection(cmd)
	flags.addBackend(cmd)
	flags.addOutput(cmd)
	cmd.Flags().StringVar(&recording.File, "record", "", "also store what the kernel reports in this new `FILE`, for \"replay\"")
	cmd.Flags().Int64Var(&recording.Limit, "record-limit", defaultRecordLimit, "size of that file at most, in `BYTES`")
	return cmd
}

func newLogger(w io.Writer, cfg config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}
