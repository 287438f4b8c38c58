// SPDX-License-Identifier: Apache-2.0

// Package rig starts programs and watches them from outside: processor time and
// memory, an agent's own metrics, the kernel objects that a process holds, the
// kernel's log, and limits by cgroup. The benchmarks, the harm tests and the
// chaos runs share it. Linux only; most of it needs root.
package rig
