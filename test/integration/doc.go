// SPDX-License-Identifier: Apache-2.0

// Package integration tests the agent as a black box: it builds tracer-agent,
// starts it next to real, unmodified servers and clients on loopback, and
// compares the spans that reach an OTLP sink with what the other side of each
// connection saw. It needs root, the Debian packages of packages.txt and the
// build tag integration:
//
//	go test -tags integration ./test/integration/
//
// Environment: TRACER_BACKEND is passed as --backend (default: the agent's
// choice); TRACER_AGENT names a prebuilt agent instead of building one, or is
// "off" to run the traffic alone, which validates the harness. TRACER_TEST_BIN
// names a folder with the agent and the programs of cmd/, built elsewhere, and
// TRACER_TEST_APPS the servers that are installed ("nginx,go"; default: all),
// TRACER_TEST_CLIENTS the clients: so the suite runs in the virtual machines of test/vm.
package integration
