// SPDX-License-Identifier: Apache-2.0

// Package suite is what the suites share that start programs beside the agent:
// building those programs, running them in process groups that are gone with the
// test, waiting with a deadline, and ports that nobody else takes. Linux only.
//
// Whatever fails in it ends the test that asked. Benchmarks and other runs
// without a test use package rig.
package suite
