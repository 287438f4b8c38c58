// SPDX-License-Identifier: Apache-2.0

//go:build integration

package harm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// roleVariable makes this binary a program of the test instead of the test.
const roleVariable = "HARM_ROLE"

// paceVariable is how long each connection of the client role pauses between steps.
const paceVariable = "HARM_PACE"

func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "mirror":
		err = mirror(os.Args[1], os.Args[2])
	case "client":
		err = client(os.Args[1:], os.Stdout)
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// agentBinary returns the agent to test.
func agentBinary(t *testing.T, dir string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the agent loads BPF programs: run this as root")
	}
	if path := os.Getenv("TRACER_AGENT"); path != "" {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := filepath.Join(dir, "tracer-agent")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/tracer-agent").CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	return path
}

// copySelf puts the test binary into dir under a name that --exe can select.
func copySelf(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// duration reads a duration from the environment.
func duration(t *testing.T, name string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%q: %v", name, text, errors.Join(err, errors.New("not a positive duration")))
	}
	return d
}
