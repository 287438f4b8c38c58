// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

// childVariable makes this test binary behave as the program itself: its value
// says how the agent takes the request to stop.
const childVariable = "CLI_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childVariable); mode != "" {
		os.Args = []string{"tracer-agent", "run", "--port", "80"}
		os.Exit(Main(Deps{Run: childRun(mode)}))
	}
	os.Exit(m.Run())
}

func childRun(mode string) func(context.Context, config.Config, RunOptions, io.Writer, *slog.Logger) error {
	return func(ctx context.Context, _ config.Config, _ RunOptions, out io.Writer, _ *slog.Logger) error {
		fmt.Fprintln(out, "ready")
		<-ctx.Done()
		fmt.Fprintln(out, "stopping")
		if mode == "hang" {
			// A minute is for ever here; it only keeps a failed test from
			// leaving a process behind.
			<-time.After(time.Minute)
		}
		return nil
	}
}

// startChild runs the child and returns once it is ready.
func startChild(t *testing.T, mode string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	expectLine(t, lines, "ready\n")
	return cmd, lines
}

func expectLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if line, err := r.ReadString('\n'); line != want {
		t.Fatalf("read %q, %v; want %q", line, err, want)
	}
}

func TestSignalEndsGracefully(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd, lines := startChild(t, "obey")
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			expectLine(t, lines, "stopping\n")
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v, want exit 0", err)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	cmd, lines := startChild(t, "hang")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expectLine(t, lines, "stopping\n")
	// The default action returns right after the first signal was taken; until
	// then a signal changes nothing, so it is sent until it does.
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
				t.Errorf("ended with %v, want death by SIGTERM", err)
			}
			return
		case <-tick.C:
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
		}
	}
}
