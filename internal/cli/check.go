// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

const checkHelp = `Try what this kernel allows and which capabilities are held, without tracing
anything, and tell everything that is wrong with the configuration, by line and
column.

Exits with 0 if the machine can trace, with 1 if something required is missing,
and with 2 if the configuration has problems.`

const checkExamples = `  tracer-agent check
  tracer-agent check --config /etc/tracer-agent.yaml
  tracer-agent check --output json | jq .backend`

func newCheck(call Invocation, deps Deps) *cobra.Command {
	var flags flagSet
	var output outputFlag
	cmd := &cobra.Command{
		Use: "check", Short: "Tell what this machine and configuration allow",
		Long: checkHelp, Example: checkExamples, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.check(cmd); err != nil {
				return err
			}
			source := flags.source(call.Env, cmd.Flags())
			cfg, err := source.Load()
			var problems config.Problems
			if errors.As(err, &problems) {
				cfg = config.Default()
			}
			r := deps.Check(cmd.Context(), cfg)
			r.Warnings = source.Warnings(cfg)
			if flags.file != "" && err == nil && len(cfg.Instrument) == 0 {
				r.Warnings = append(r.Warnings, config.Problem{Where: config.Place{Source: flags.file}, Path: "instrument", Message: "nothing is selected: run does not start with it"})
			}
			r.Problems = append(append(config.Problems{}, problems...), r.Problems...)
			if err := output.print(call.Out, r, r.writeText); err != nil {
				return err
			}
			if code := r.exitCode(); code != exitOK {
				return exitError(code)
			}
			return nil
		},
	}
	flags.addFile(cmd)
	flags.addBackend(cmd)
	output.add(cmd)
	return cmd
}
