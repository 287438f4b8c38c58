// SPDX-License-Identifier: Apache-2.0

package rig

import "testing"

func TestTrouble(t *testing.T) {
	for text, want := range map[string]bool{
		"WARNING: CPU: 1 PID: 77 at kernel/bpf/verifier.c:100":         true,
		"BUG: kernel NULL pointer dereference, address: 0":             true,
		"rcu: INFO: rcu_preempt self-detected stall on CPU":            true,
		"INFO: task nginx:7 blocked for more than 120 seconds.":        true,
		"watchdog: BUG: soft lockup - CPU#1 stuck for 22s!":            true,
		"Memory cgroup out of memory: Killed process 7 (tracer-agent)": true,
		"TCP: request_sock_TCP: Possible SYN flooding on port 80.":     false,
		"EXT4-fs (vda): mounted filesystem 0000 r/w without journal.":  false,
		"systemd[1]: Debugging enabled":                                false,
	} {
		if trouble.MatchString(text) != want {
			t.Errorf("%q: trouble is %v", text, !want)
		}
	}
}
