// SPDX-License-Identifier: Apache-2.0

//go:build links || integration

package links

import (
	"errors"
	"os"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

func TestMain(m *testing.M) {
	suite.Main(m, runnable, "./services/leaf", "./services/sdkservice", "./services/goservice", suite.AgentPackage)
}

func runnable() error {
	if os.Geteuid() != 0 {
		return errors.New("the link tests load BPF programs: run them as root")
	}
	return nil
}
