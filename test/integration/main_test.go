// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// programs are the packaged programs that the suite runs; packages.txt lists
// the Debian packages that hold them.
var programs = []string{
	"/usr/sbin/nginx", "/usr/sbin/apache2", "/usr/bin/gunicorn", "/usr/bin/wrk",
	"/usr/bin/curl", "/usr/bin/node", "/usr/bin/java", "/usr/bin/python3",
}

//go:embed packages.txt
var packages string

func TestMain(m *testing.M) {
	built := []string{"./cmd/webserver", "./cmd/rawserver", "./cmd/goclient"}
	if !trafficOnly() {
		built = append(built, suite.AgentPackage)
	}
	suite.Main(m, runnable, built...)
}

// runnable says what is missing. Where nothing is to be built, a program that is
// missing fails the tests that use it.
func runnable() error {
	if os.Geteuid() != 0 {
		return errors.New("the integration tests load BPF programs: run them as root")
	}
	if os.Getenv(suite.Bin) != "" {
		return nil
	}
	for _, p := range programs {
		if _, err := os.Stat(p); err != nil {
			return fmt.Errorf("missing program %s; install: %s", p, strings.Join(strings.Fields(packages), " "))
		}
	}
	return nil
}

// trafficOnly says that the suite runs without an agent.
func trafficOnly() bool { return os.Getenv("TRACER_AGENT") == "off" }
