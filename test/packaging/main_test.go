// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Directories that scripts/test-packaging.sh names: what one build made, what the
// same sources made elsewhere, and where a clean Debian may be kept.
const (
	distVariable  = "TRACER_DIST"
	againVariable = "TRACER_DIST_AGAIN"
	cacheVariable = "TRACER_CACHE"
	binVariable   = "TRACER_TEST_BIN" // set by TestMain: programs
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (int, error) {
	for _, name := range []string{distVariable, againVariable, cacheVariable} {
		if os.Getenv(name) == "" {
			return 0, fmt.Errorf("%s is not set: run make test-packaging", name)
		}
	}
	dir, err := os.MkdirTemp("", "tracer-packaging-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // some programs run as another user
		return 0, err
	}
	if err := os.Setenv(binVariable, dir); err != nil {
		return 0, err
	}
	build := exec.Command("go", "build", "-o", dir+"/", "./web", "./runtime")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// program is the path of a program that the tests run.
func program(name string) string { return filepath.Join(os.Getenv(binVariable), name) }

// artifact is the path of the one thing that was built whose name matches.
func artifact(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv(distVariable), pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files match %s, %v", len(found), pattern, err)
	}
	return found[0]
}

// command runs a program and returns what it printed; it has to succeed.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
