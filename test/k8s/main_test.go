// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// roleEnv lets the test binary play the programs in containers.
const roleEnv = "K8S_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "server":
		serve()
		return
	case "client":
		ask()
		return
	case "forward":
		l, err := net.Listen("tcp", os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		pass(l, os.Args[2])
		return
	}
	for _, name := range []string{"K8S_BIN", "K8S_PROGRAMS", "TRACER_AGENT"} {
		if os.Getenv(name) == "" {
			fmt.Fprintf(os.Stderr, "%s is not set: run the tests by make test-k8s\n", name)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
