// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Bin is the environment variable that names the directory of the programs that a
// suite runs. Where it is set already, they are there and nothing is built. Every
// program that a suite starts carries it.
const Bin = "TRACER_TEST_BIN"

// AgentPackage is the agent as a package for Main, which takes the one that
// TRACER_AGENT names, if it names one, instead of building it.
const AgentPackage = "github.com/tracer-agent/tracer-agent/cmd/tracer-agent"

// Main is the TestMain of a suite: it asks check what is missing on this machine,
// builds packages, runs the tests and ends the process.
func Main(m *testing.M, check func() error, packages ...string) {
	code, err := run(m, check, packages)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, check func() error, packages []string) (int, error) {
	if err := check(); err != nil {
		return 0, err
	}
	if os.Getenv(Bin) != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "tracer-suite-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Some programs run as other users and must reach what the tests put here.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	if err := build(dir, packages); err != nil {
		return 0, err
	}
	if err := os.Setenv(Bin, dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// build compiles packages into dir.
func build(dir string, packages []string) error {
	args := []string{"build", "-o", dir + "/"}
	agent := os.Getenv("TRACER_AGENT")
	for _, pkg := range packages {
		if pkg != AgentPackage || agent == "" {
			args = append(args, pkg)
			continue
		}
		target, err := filepath.Abs(agent)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(dir, filepath.Base(AgentPackage))); err != nil {
			return err
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Program returns the path of a program that Main built.
func Program(name string) string { return filepath.Join(os.Getenv(Bin), name) }

// WorkDir makes a directory that every user can enter; it goes with the test.
func WorkDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(os.Getenv(Bin), "work-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// AgentEnv returns this environment without what would configure the agent.
func AgentEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "OTEL_") && !strings.HasPrefix(kv, "TRACER_AGENT_") {
			env = append(env, kv)
		}
	}
	return env
}
