// SPDX-License-Identifier: Apache-2.0

//go:build links || integration

package links

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binDir is the environment variable that names the directory of built binaries.
const binDir = "TRACER_LINKS_BIN"

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (int, error) {
	if os.Geteuid() != 0 {
		return 0, fmt.Errorf("the link tests load BPF programs: run them as root")
	}
	dir, err := os.MkdirTemp("", "tracer-links-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Apache's and PHP's children are not root and must reach what is put here.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	if err := build(dir); err != nil {
		return 0, err
	}
	if err := os.Setenv(binDir, dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// build compiles the agent and the Go services into dir, or copies what was
// built before.
func build(dir string) error {
	if from := os.Getenv("TRACER_LINKS_PREBUILT"); from != "" {
		return os.CopyFS(dir, os.DirFS(from))
	}
	pkgs := []string{"./services/leaf", "./services/sdkservice", "./services/goservice"}
	if agent := os.Getenv("TRACER_AGENT"); agent == "" {
		pkgs = append(pkgs, "../../cmd/tracer-agent")
	} else {
		target, err := filepath.Abs(agent)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(dir, "tracer-agent")); err != nil {
			return err
		}
	}
	args := append([]string{"build", "-o", dir + "/"}, pkgs...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// built returns the path of a built binary.
func built(name string) string { return filepath.Join(os.Getenv(binDir), name) }
