// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line of tracer-agent: it reads flags, environment
// and file into a configuration, calls the agent through [Deps], and prints
// what it returns. It exits with 0 when all went well, 1 when something failed
// while running, and 2 when the command or the configuration is wrong; in the
// last case nothing was attached to the kernel.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Deps is the agent as the command line sees it. All functions must be set.
type Deps struct {
	// Run traces until ctx is done, then flushes and returns. Spans printed as
	// text or JSON go to out. cfg is valid, selects something and has at least
	// one exporter.
	Run func(ctx context.Context, cfg config.Config, opts RunOptions, out io.Writer, log *slog.Logger) error
	// Replay prints the spans of a recording to out as format says, text or json.
	Replay func(ctx context.Context, file, format string, out io.Writer, log *slog.Logger) error
	// Check finds out what this machine allows. cfg is Default if the user's
	// has problems.
	Check func(ctx context.Context, cfg config.Config) Report
	// Why explains whether process pid would be traced under cfg, which may
	// select nothing. The error is about the process, such as that there is none.
	Why func(ctx context.Context, pid int, cfg config.Config) (Explanation, error)
	// Demo traces services of its own and prints their traces to out. The
	// error says what was not seen.
	Demo func(ctx context.Context, out io.Writer) error
	// Build is what the linker was told.
	Build Build
}

// RunOptions are what Run is told besides the configuration.
type RunOptions struct {
	Reload Reload
	Record Recording
}

// Recording says where what the kernel reports is stored.
type Recording struct {
	File  string // "": nowhere
	Limit int64  // bytes at most
}

// Reload tells a running agent how to read its configuration again.
type Reload struct {
	File string // to look at for changes; "": none was given
	// Load reads file, environment and flags as at the start. The error is
	// config.Problems.
	Load func() (config.Config, error)
}

// Invocation is one call of the program.
type Invocation struct {
	Args []string // without the program's name
	Env  []string // as os.Environ returns it
	Out  io.Writer
	Err  io.Writer
}

// Main runs the command line of this process and returns its exit code. The
// first SIGINT or SIGTERM asks the command to end, a second one ends the process.
func Main(deps Deps) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	call := Invocation{Args: os.Args[1:], Env: os.Environ(), Out: os.Stdout, Err: os.Stderr}
	return call.Execute(ctx, deps)
}

// Execute runs one command and returns the exit code. A command that runs until
// it is told to stop does so when ctx is done.
func (i Invocation) Execute(ctx context.Context, deps Deps) int {
	root := newRoot(i, deps)
	root.SetArgs(i.Args)
	root.SetOut(i.Out)
	root.SetErr(i.Err)
	return finish(i.Err, root.ExecuteContext(ctx))
}

// usageError is a mistake in the command line.
type usageError struct {
	err     error
	command string // whose --help would tell more
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// exitError ends the program with a code after everything was said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// finish prints err, if there is anything to say, and returns the exit code.
func finish(w io.Writer, err error) int {
	var usage *usageError
	var problems config.Problems
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintf(w, "tracer-agent: %v\n\nSee %s --help\n", err, usage.command)
		return exitUsage
	case errors.As(err, &problems):
		// One line each and nothing before it, as editors and terminals know
		// how to jump to file:line:column.
		fmt.Fprintln(w, problems)
		return exitUsage
	}
	fmt.Fprintf(w, "tracer-agent: %v\n", err)
	return exitFailure
}
