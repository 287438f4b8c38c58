// SPDX-License-Identifier: Apache-2.0

// Package discovery decides in user space which processes are traced, what
// they are called, and keeps the kernel's exact-key selection maps in step.
//
// # Rules
//
// A [Rule] matches a process iff every criterion it gives matches; the values
// of one criterion are alternatives. A process is selected iff some include
// rule matches and no exclude rule does. What cannot be read never helps to
// select: an unreadable attribute fails an include rule and satisfies an
// exclude rule.
//
// # Verdicts only rise
//
// A verdict belongs to one program instance: from exec to the next exec or
// exit, children forked without exec included. Within that span it only rises,
// Unknown → Candidate → Selected → Excluded. A server that closes its listening
// socket, retitles its argv or hands a connection to a forked child stays
// selected, and what was excluded once stays excluded. The kernel applies the
// same order when it inherits over fork and when a candidate listens.
//
// Two things end that: the pod of a process changes ([Discovery.Refresh]), or
// the rules do ([Discovery.Apply]). Then what the kernel holds of the processes
// concerned is taken back first, their targets are revoked, and they are judged
// from the start. A fork may have copied its parent's verdict just before that
// fell, so everything is gone over until nothing more falls, and for a while
// the kernel's entry is not taken for a verdict.
//
// # Pods
//
// A process is in the pod that its cgroup paths name, where the kubelet makes
// them; see podPaths. What the pod is like [Pods] tells. A pod that is not known
// is unreadable in the sense above.
//
// # Races with the kernel
//
// Judging reads /proc and takes time, in which the process may exec. So a
// positive verdict is written in two steps: WatchProcess makes an entry with no
// effect, the process is judged (again), and SetProcess succeeds only if the
// entry still exists. Since exec and exit remove entries in the kernel, a
// verdict about the old program can never be applied to the new one.
//
// A process that ends keeps its entry in /proc for a while, and loses what the
// entry tells. Before the kernel removes the verdict it marks the process as
// exiting, which is read first: from then on nothing is judged by what is left.
//
// # Limits
//
// A process that changes its user or cgroup after its last exec causes no
// event: it is newly selected by the next rescan at the latest, and newly
// excluded when its first connection is looked up or by the next rescan.
//
// A process whose first thread has ended is taken for ended, though others of its
// threads may go on: /proc tells nothing of its program any more.
package discovery
