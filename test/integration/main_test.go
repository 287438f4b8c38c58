// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binDir is the environment variable that names the directory of built binaries.
// Where it is set already, they are there: nothing is built, and a package that
// is missing fails the tests that use it.
const binDir = "TRACER_TEST_BIN"

// programs are the packaged programs that the suite runs; packages.txt lists
// the Debian packages that hold them.
var programs = []string{
	"/usr/sbin/nginx", "/usr/sbin/apache2", "/usr/bin/gunicorn", "/usr/bin/wrk",
	"/usr/bin/curl", "/usr/bin/node", "/usr/bin/java", "/usr/bin/python3",
}

//go:embed packages.txt
var packages string

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
		return 0, fmt.Errorf("the integration tests load BPF programs: run them as root")
	}
	if os.Getenv(binDir) != "" {
		return m.Run(), nil
	}
	for _, p := range programs {
		if _, err := os.Stat(p); err != nil {
			return 0, fmt.Errorf("missing program %s; install: %s", p, strings.Join(strings.Fields(packages), " "))
		}
	}
	dir, err := os.MkdirTemp("", "tracer-it-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Apache's children are not root and must reach what the tests put here.
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

// build compiles the agent and the test programs into dir.
func build(dir string) error {
	pkgs := []string{"./cmd/webserver", "./cmd/rawserver", "./cmd/goclient"}
	switch agent := os.Getenv("TRACER_AGENT"); agent {
	case "off":
	case "":
		pkgs = append(pkgs, "../../cmd/tracer-agent")
	default:
		target, err := filepath.Abs(agent)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(dir, "tracer-agent")); err != nil {
			return err
		}
	}
	args := append([]string{"build", "-o", dir + "/"}, pkgs...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// binary returns the path of a built binary.
func binary(name string) string { return filepath.Join(os.Getenv(binDir), name) }

// trafficOnly says that the suite runs without an agent.
func trafficOnly() bool { return os.Getenv("TRACER_AGENT") == "off" }
