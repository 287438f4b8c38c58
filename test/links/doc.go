// SPDX-License-Identifier: Apache-2.0

// Package links measures how right the agent's trees are. It starts services in
// many languages on loopback, each of which asks leaf servers while it answers,
// and compares the parents that the agent gives to spans with the truth.
//
// The truth travels in the header x-truth-id, which the agent is told to record
// but never links by. The driver gives each request an id, say "r7-12"; a
// service names its n-th call for it "r7-12.n" and answers with what the leaves
// said, so that the driver knows which calls were made. A span's right parent
// follows from its id alone: see [Score].
//
// It needs root, the Debian packages of packages.txt, and for other Go versions
// a module proxy:
//
//	go test -tags links ./test/links -run 'TestLinks/go/c8'
//
// Without the tag only the scoring is tested. With the tag integration instead,
// a few runtimes are measured with little traffic.
//
// Environment: TRACER_BACKEND is passed as --backend (default: the agent's
// choice), TRACER_AGENT names a prebuilt agent instead of building one,
// TRACER_LINKS_TABLE names the Markdown file that gets the table, and
// TRACER_TEST_BIN a directory with the agent and the Go services, so that no Go
// is needed: vm.sh uses that on stock kernels.
package links
