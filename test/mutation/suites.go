// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// suite is a group of tests. The error says that they could not be built.
type suite struct {
	name string
	run  func(dir string) (failed bool, err error)
}

// command runs a line of shell in dir and says whether it failed.
func command(dir, line string, env ...string) (failed bool, out string) {
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	b, err := cmd.CombinedOutput()
	return err != nil, string(b)
}

// hostC is a program of bpf/host with one backend; running it is the test.
func hostC(program, backend string) suite {
	return suite{name: "C " + program + " tests, " + backend, run: func(dir string) (bool, error) {
		if failed, out := command(dir, "mkdir -p bin && scripts/host-c.sh bin "+program+" -w", "BACKENDS="+backend); failed {
			return false, fmt.Errorf("it does not compile: %s", out)
		}
		failed, _ := command(dir, "timeout 60 bin/"+program+"-"+backend)
		return failed, nil
	}}
}

// model compares the programs of a backend with the model in internal/conn.
func model(backend string) suite {
	return suite{name: "comparison with the model, " + backend, run: func(dir string) (bool, error) {
		if failed, out := command(dir, "mkdir -p bin && scripts/host-c.sh bin play -w", "BACKENDS="+backend); failed {
			return false, fmt.Errorf("it does not compile: %s", out)
		}
		failed, _ := command(dir, "go test -tags hostc -run '^TestModelIsThePrograms.*/"+backend+"' ./internal/conn", "HOSTC="+filepath.Join(dir, "bin"))
		return failed, nil
	}}
}

// goTest is the tests of a package.
func goTest(pkg string) suite {
	return suite{name: "`go test ./" + pkg + "`", run: func(dir string) (bool, error) {
		if failed, out := command(dir, "go vet ./"+pkg); failed {
			return false, fmt.Errorf("it does not compile: %s", out)
		}
		failed, _ := command(dir, "go test -timeout 5m ./"+pkg)
		return failed, nil
	}}
}
