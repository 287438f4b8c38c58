// SPDX-License-Identifier: Apache-2.0

// Package k8s tests the agent against a real Kubernetes API server and, where
// that can run, a real node: "make test-k8s". On the first level pods are objects
// that the tests write, and their containers are processes in cgroups that are
// made and named as the kubelet and containerd do it. On the second everything is
// real: see node_test.go.
package k8s
