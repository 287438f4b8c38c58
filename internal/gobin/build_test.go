// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// mode is a way of building an executable.
type mode struct {
	name       string
	flags      []string // of go build
	ldflags    string
	cgo        bool
	dirs       []string // below testdata, the program's source
	arch       string   // "": this machine's
	experiment string   // GOEXPERIMENT
}

// modes lists the ways that change where things lie. Stripping is not among
// them: every mode is built with and without symbols.
func modes() []mode {
	witness := []string{"witness"}
	threadLocal := []string{"witness", "threadlocal"}
	pie, external := []string{"-buildmode=pie"}, "-linkmode=external"
	return []mode{
		{name: "static", dirs: witness},
		{name: "trimpath", flags: []string{"-trimpath"}, dirs: witness},
		{name: "pie", flags: pie, dirs: witness},
		{name: "cgo", cgo: true, dirs: witness},
		{name: "cgo-external", cgo: true, ldflags: external, dirs: witness},
		{name: "cgo-pie-external", flags: pie, cgo: true, ldflags: external, dirs: witness},
		{name: "cgo-threadlocal", cgo: true, dirs: threadLocal},
		{name: "cgo-pie-threadlocal", flags: pie, cgo: true, dirs: threadLocal},
		{name: "cgo-static-threadlocal", cgo: true, ldflags: external + " -extldflags=-static", dirs: threadLocal},
		{name: "arm64", dirs: witness, arch: "arm64"},
		{name: "arm64-pie", flags: pie, dirs: witness, arch: "arm64"},
	}
}

// usual lists the modes that tests try with the release that runs them: the
// others take minutes where nothing is cached.
func usual() []mode {
	return slices.DeleteFunc(modes(), func(m mode) bool {
		return !slices.Contains([]string{"trimpath", "pie", "cgo-pie-threadlocal", "arm64"}, m.name)
	})
}

// builder makes executables with one Go release.
type builder struct{ release string } // "": that which runs the tests

// build makes the executable of a mode and returns its path.
func (b builder) build(t *testing.T, m mode, ldflags string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range m.dirs {
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", d))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module witness\n\ngo 1.17\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	exe := filepath.Join(dir, "executable")
	args := append([]string{"build", "-o", exe, "-ldflags=" + ldflags + " " + m.ldflags}, m.flags...)
	build := exec.CommandContext(ctx, "go", append(args, ".")...)
	build.Dir, build.Env = dir, b.environment(m)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", args, err, out)
	}
	return exe
}

func (b builder) environment(m mode) []string {
	env := append(os.Environ(), "CGO_ENABLED=0")
	if m.cgo {
		env = append(env, "CGO_ENABLED=1")
	}
	if m.arch != "" {
		env = append(env, "GOARCH="+m.arch)
	}
	if m.experiment != "" {
		env = append(env, "GOEXPERIMENT="+m.experiment)
	}
	if b.release != "" { // see gen for the reasons
		env = append(env, "GOTOOLCHAIN=go"+b.release, "GOFLAGS=-mod=mod", "GODEBUG=goindex=0")
	}
	return env
}

// version is what an executable of a mode says of the release.
func (b builder) version(m mode) string {
	version := runtime.Version()
	if b.release != "" {
		version = "go" + b.release
	}
	if m.experiment != "" {
		version += " X:" + m.experiment
	}
	return version
}

// needs skips modes that this machine cannot build.
func (m mode) needs(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); m.cgo && err != nil {
		t.Skip("cgo needs gcc, which is not installed")
	}
}

// machine is the architecture the mode builds for.
func (m mode) machine() string {
	if m.arch != "" {
		return m.arch
	}
	return runtime.GOARCH
}
