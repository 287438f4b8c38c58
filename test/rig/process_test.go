// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"testing"
	"time"
)

// TestCPUCountsChildren burns time in a child, which then idles.
func TestCPUCountsChildren(t *testing.T) {
	p, err := Start(t.TempDir(), "burner", `sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exec sleep 60' & wait`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	for deadline := time.Now().Add(20 * time.Second); p.CPU() < 5*time.Millisecond; {
		if time.Now().After(deadline) {
			t.Fatalf("CPU time is %v after a busy loop", p.CPU())
		}
	}
	if rss, peak := p.Memory(); rss <= 0 || peak < rss {
		t.Errorf("memory: resident %d, peak %d", rss, peak)
	}
}

func TestStop(t *testing.T) {
	lines := make(chan string, 4)
	p, err := Start(t.TempDir(), "talker", `sh -c 'echo ready to go >&2; sleep 60'`, nil, func(line string) { lines <- line })
	if err != nil {
		t.Fatal(err)
	}
	if got := <-lines; got != "ready to go" {
		t.Errorf("line %q", got)
	}
	if took := p.Stop(); took > StopTimeout || p.Running() {
		t.Errorf("stop took %v, still running: %v", took, p.Running())
	}
	if p.Outcome() == nil {
		t.Error("a process that was ended by a signal is said to have succeeded")
	}
}
