// SPDX-License-Identifier: Apache-2.0

// Package harm proves that the agent harms nothing: while it starts, runs, is
// killed and starts again, every byte that applications exchange is compared
// with what the same requests led to before there was an agent; no application
// may see an error, the kernel may keep nothing of a dead agent, and its log
// must stay clean. It needs root and the build tag integration:
//
//	go test -tags integration ./test/harm/
//
// Every backend that the kernel loads is tested, for HARM_TIME (default 10s)
// each; an agent lives for HARM_PERIOD (1s), and each connection pauses for
// HARM_PACE (5ms) between its requests. HARM_ALONE=1 says that nobody else on the
// machine loads BPF objects: none may be left then. TRACER_AGENT names a prebuilt agent
// instead of building one. Servers and clients that are not packaged are the test
// binary itself, so that it also runs where there is no Go: vm.sh runs it on stock
// kernels.
package harm
