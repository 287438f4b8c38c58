// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

const rootHelp = `tracer-agent watches the HTTP traffic of the processes you select, from inside
the Linux kernel, and turns every request into an OpenTelemetry span. The
processes are neither changed nor restarted, and nothing is traced that you did
not select.

It needs root, or the capabilities that "tracer-agent check" lists.`

const rootExamples = `  tracer-agent demo                       see it work on a few services of its own
  tracer-agent check                      what this machine allows
  tracer-agent run --port 8080            trace what listens on port 8080
  tracer-agent why 1234                   why is process 1234 (not) traced?`

// Command returns the whole command line, for what describes it: manual pages and
// completion. Running its commands calls nothing that works.
func Command(build Build) *cobra.Command {
	return newRoot(Invocation{}, Deps{Build: build})
}

func newRoot(call Invocation, deps Deps) *cobra.Command {
	root := &cobra.Command{
		Use:               "tracer-agent",
		Short:             "trace HTTP requests of unmodified processes",
		Long:              rootHelp,
		Example:           rootExamples,
		Args:              unknownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Version:           deps.Build.version(),
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newRun(call, deps), newReplay(call, deps), newCheck(call, deps), newWhy(call, deps), newDemo(deps), newVersion(deps.Build),
	)
	return root
}

// unknownCommand is called when what follows the program's name is no command.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return usage(cmd, "unknown command %q%s", args[0], meant(args[0], names))
}

// flagError makes a usage error of what the flag library says.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return &usageError{err: err, command: cmd.CommandPath()}
	}
	if unknown.GetSpecifiedShortnames() != "" {
		return usage(cmd, "unknown flag -%s; flags are written out, with two dashes", unknown.GetSpecifiedShortnames())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	name := "--" + unknown.GetSpecifiedName()
	return usage(cmd, "unknown flag %s%s", name, meant(name, names))
}

func meant(word string, known []string) string {
	if near := config.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

func usage(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), command: cmd.CommandPath()}
}

// noArgs refuses arguments of a command that takes none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(cmd, "%s takes no arguments, but was given %s", cmd.Name(), strings.Join(args, " "))
}
