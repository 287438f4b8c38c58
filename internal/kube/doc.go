// SPDX-License-Identifier: Apache-2.0

// Package kube knows the pods of this node, the namespaces they are in, what
// owns them, and which pod or Service an address of the cluster belongs to. It
// learns that from the Kubernetes API by list and watch, with a client of its
// own: see docs/adr/0007-a-list-and-watch-of-our-own.md.
//
// What is not known yet is absent, never guessed: [Cluster.Pod] returns a pod
// only once the pod and its namespace were both read, so that no rule about
// either can select it before. While the API cannot be reached the last known
// state holds.
package kube
