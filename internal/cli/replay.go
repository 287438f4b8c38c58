// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

const replayHelp = `Handle a recording that "run --record FILE" made, and print its spans: the same
ones every time. Nothing is attached to the kernel, and no privileges are needed.

A recording holds what the kernel reported of the selected processes. Bodies,
header values that no span shows and secrets in queries are not in it.`

func newReplay(call Invocation, deps Deps) *cobra.Command {
	var format, level string
	cmd := &cobra.Command{
		Use: "replay FILE", Short: "Print the spans of a recording", Long: replayHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "replay takes the name of one recording, but was given %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usage(cmd, "--stdout is %q; it can be text or json", format)
			}
			cfg := config.Default().Log
			cfg.Level = level
			log, err := newLogger(call.Err, cfg)
			if err != nil {
				return usage(cmd, "--log-level: %v", err)
			}
			return deps.Replay(cmd.Context(), args[0], format, call.Out, log)
		},
	}
	cmd.Flags().StringVar(&format, "stdout", "text", "print spans in this `FORMAT` (text or json)")
	cmd.Flags().StringVar(&level, "log-level", "info", "log to standard error from this `LEVEL` on (debug, info, warn or error)")
	return cmd
}
