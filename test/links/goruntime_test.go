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

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// goBuild is a way to build the Go service.
type goBuild struct {
	toolchain string // "go1.17.13"; empty: the one that runs the test
	cgo       string // CGO_ENABLED
	args      []string
}

func goRuntimes() []subject {
	handler := Work(pause, "seq", "par", "retry")
	strip := []string{"-trimpath", "-ldflags", "-s -w"}
	pie := []string{"-buildmode=pie"}
	list := []subject{
		{name: "go", kind: exact, shape: handler, start: goService(goBuild{cgo: "0"}), small: true},
		{name: "go-static-stripped", kind: exact, shape: handler, start: goService(goBuild{cgo: "0", args: strip})},
		{name: "go-pie", kind: exact, shape: handler, start: goService(goBuild{cgo: "0", args: pie})},
		{name: "go-cgo", kind: exact, shape: handler, start: goService(goBuild{cgo: "1"})},
		{name: "go-cgo-pie-stripped", kind: exact, shape: handler, start: goService(goBuild{cgo: "1", args: append(pie, strip...)})},
		{name: "go-wrapped-connections", kind: exact, shape: Work(pause, "wrapped"), start: goService(goBuild{cgo: "0"})},
		// The runtime keeps a goroutine's parent, not its grandparent; before Go 1.21 neither.
		{name: "go-nested", kind: loop, shape: Work(pause, "nest"), start: goService(goBuild{cgo: "0"})},
		{name: "go1.20-goroutines", kind: loop, shape: Work(pause, "par"), start: goService(goBuild{toolchain: "go1.20.14", cgo: "0", args: strip})},
	}
	for _, version := range []string{"1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.14", "1.27.4"} {
		minor := version[:strings.LastIndexByte(version, '.')]
		list = append(list, subject{name: "go" + minor, kind: exact, shape: shapeOf(minor),
			start: goService(goBuild{toolchain: "go" + version, cgo: "0", args: strip})})
	}
	return list
}

// shapeOf is what a release is measured by.
func shapeOf(minor string) Shape {
	switch minor {
	case "1.17", "1.18", "1.19", "1.20":
		return Work(pause, "seq", "retry")
	}
	return Work(pause, "seq", "par", "retry")
}

// plain says that it is the way in which the suite built it already.
func (b goBuild) plain() bool { return b.toolchain == "" && b.cgo == "0" && len(b.args) == 0 }

// goService builds the service in a module of its own, and starts it.
func goService(b goBuild) func(*testing.T, *site) *suite.Process {
	return func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		return s.run(t, "goservice", exec.Command(b.build(t, s.dir), s.args()...))
	}
}

func (b goBuild) build(t *testing.T, dir string) string {
	t.Helper()
	if b.plain() {
		return suite.Program("goservice")
	}
	source, err := os.ReadFile(file(t, "goservice/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"main.go": string(source), "go.mod": "module example.test/goservice\n\ngo 1.17\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append(append([]string{"build"}, b.args...), "-o", "goservice", ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+b.cgo, "GOFLAGS=-mod=mod", "GOWORK=off")
	if b.toolchain != "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+b.toolchain)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build with %s: %v\n%s", fmt.Sprint(b), err, out)
	}
	return filepath.Join(dir, "goservice")
}
