// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Build says what was built. Empty texts are taken from what the Go tool
// recorded in the binary.
type Build struct {
	Version string // such as "v0.1.0"
	Commit  string
	Date    string // of the commit, RFC 3339
	ABI     int    // version of the records that the BPF programs and the agent exchange
}

// complete fills what is empty from info.
func (b Build) complete(info *debug.BuildInfo) Build {
	settings := map[string]string{}
	if info != nil {
		b.Version = cmp.Or(b.Version, info.Main.Version)
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
	}
	commit := settings["vcs.revision"]
	if commit != "" && settings["vcs.modified"] == "true" {
		commit += " with changes"
	}
	b.Version = cmp.Or(b.Version, "(devel)")
	b.Commit = cmp.Or(b.Commit, commit, "unknown")
	b.Date = cmp.Or(b.Date, settings["vcs.time"], "unknown")
	return b
}

// completed is b filled from this binary.
func (b Build) completed() Build {
	info, _ := debug.ReadBuildInfo()
	return b.complete(info)
}

func (b Build) version() string { return b.completed().Version }

func newVersion(build Build) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		Long: "Print the version of the agent, where it was built from, and the version of the\nrecords that it exchanges with its BPF programs.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return build.completed().print(cmd.OutOrStdout())
		},
	}
}

func (b Build) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "tracer-agent %s\ncommit       %s\ncommitted    %s\ngo           %s %s/%s\nBPF ABI      %d\n",
		b.Version, b.Commit, b.Date, runtime.Version(), runtime.GOOS, runtime.GOARCH, b.ABI)
	return err
}
