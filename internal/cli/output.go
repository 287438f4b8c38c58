// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// outputFlag is --output, which chooses between text for people and JSON for
// programs.
type outputFlag string

func (o *outputFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(o), "output", "text", "print the result in this `FORMAT` (text, json)")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses an unknown format.
func (o outputFlag) check(cmd *cobra.Command) error {
	formats := []string{"text", "json"}
	if slices.Contains(formats, string(o)) {
		return nil
	}
	return usage(cmd, "--output: unknown format %q%s", string(o), meant(string(o), formats))
}

// print writes v as JSON, or by text.
func (o outputFlag) print(w io.Writer, v any, text func(io.Writer) error) error {
	if o != "json" {
		return text(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// table writes rows in aligned columns, each row after indent.
func table(w io.Writer, indent string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			if i > 0 {
				line += "\t"
			}
			line += cell
		}
		fmt.Fprintln(t, line)
	}
	return t.Flush()
}
