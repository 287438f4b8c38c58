// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/spf13/cobra"

const demoHelp = `Start a few small HTTP services, send them requests, trace them, and print their
traces as trees. Nothing else on the machine is traced or changed. Exits with 0
only if every expected span was seen.`

func newDemo(deps Deps) *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Trace a few services of its own", Long: demoHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deps.Demo(cmd.Context(), cmd.OutOrStdout())
		},
	}
}
