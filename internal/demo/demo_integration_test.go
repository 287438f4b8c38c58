// SPDX-License-Identifier: Apache-2.0

//go:build integration

package demo

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demoLimit is what the demo may take, everything included.
const demoLimit = 5 * time.Second

func buildAgent(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the demo loads BPF programs: run this test as root")
	}
	exe := filepath.Join(t.TempDir(), "tracer-agent")
	if out, err := exec.Command("go", "build", "-o", exe, "../../cmd/tracer-agent").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// The demo as a user runs it: every span is seen and it says so.
func TestDemo(t *testing.T) {
	exe := buildAgent(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*demoLimit)
	defer cancel()
	began := time.Now()
	out, err := exec.CommandContext(ctx, exe, "demo").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if took := time.Since(began); took > demoLimit {
		t.Errorf("it took %v, want at most %v", took, demoLimit)
	}
	for _, want := range []string{
		"All 21 expected spans were seen, and no others.",
		"SERVER storefront POST /orders /orders?api_key=REDACTED 201",
		"CLIENT storefront GET http://prices.internal/prices/lost 500 ERROR=500",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}

// Interrupted or killed, the demo leaves no process behind.
func TestDemoEnds(t *testing.T) {
	exe := buildAgent(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := exec.Command(exe, "demo")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			pids := servicePIDs(t, bufio.NewScanner(stdout))
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it says that every span was seen")
			}
			for _, pid := range pids {
				waitGone(t, pid)
			}
		})
	}
}

// servicePIDs reads the demo's introduction.
func servicePIDs(t *testing.T, lines *bufio.Scanner) []int {
	t.Helper()
	var pids []int
	for len(pids) < 4 && lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 2 && words[1] == "pid" {
			pid, err := strconv.Atoi(words[2])
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	if len(pids) != 4 {
		t.Fatalf("the demo named %d services, want 4: %v", len(pids), lines.Err())
	}
	return pids
}

// waitGone waits until a process has ended. One whose parent was killed may
// stay a zombie for as long as nobody collects it.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for !gone(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("service %d still runs", pid)
		}
		<-poll.C
	}
}

func gone(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}
