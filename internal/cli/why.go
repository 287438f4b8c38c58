// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/spf13/cobra"

const whyHelp = `Tell whether a process is traced under a configuration, which entry decides it,
and how each criterion of each entry compares with the process. Give the same
--config and selection flags as to "run". Exits with 0 whenever there is an
answer, whichever it is.`

const whyExamples = `  tracer-agent why 1234 --config /etc/tracer-agent.yaml
  tracer-agent why 1234 --port 8080
  tracer-agent why 1234 --output json | jq .traced`

func newWhy(call Invocation, deps Deps) *cobra.Command {
	var flags flagSet
	var output outputFlag
	cmd := &cobra.Command{
		Use: "why PID", Short: "Tell why a process is or is not traced",
		Long: whyHelp, Example: whyExamples, Args: onePID,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(cmd); err != nil {
				return err
			}
			pid, err := parsePID(args[0])
			if err != nil {
				return err
			}
			cfg, err := flags.load(call.Env, cmd.Flags())
			if err != nil {
				return err
			}
			e, err := deps.Why(cmd.Context(), pid, cfg)
			if err != nil {
				return err
			}
			return output.print(call.Out, e, e.writeText)
		},
	}
	flags.addFile(cmd)
	flags.addSelection(cmd)
	output.add(cmd)
	return cmd
}

func onePID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(cmd, "why takes one process id, but was given %d arguments", len(args))
	}
	if _, err := parsePID(args[0]); err != nil {
		return usage(cmd, "%w", err)
	}
	return nil
}
