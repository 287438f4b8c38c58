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

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// Directories that scripts/test-packaging.sh names: what one build made, what the
// same sources made elsewhere, and where a clean Debian may be kept.
const (
	distVariable  = "TRACER_DIST"
	againVariable = "TRACER_DIST_AGAIN"
	cacheVariable = "TRACER_CACHE"
)

func TestMain(m *testing.M) { suite.Main(m, runnable, "./web", "./runtime") }

func runnable() error {
	for _, name := range []string{distVariable, againVariable, cacheVariable} {
		if os.Getenv(name) == "" {
			return fmt.Errorf("%s is not set: run make test-packaging", name)
		}
	}
	return nil
}

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
