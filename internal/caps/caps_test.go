// SPDX-License-Identifier: Apache-2.0

package caps

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roleVariable makes the test binary a process that drops its capabilities and
// prints what each of its threads then has.
const roleVariable = "CAPS_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "" {
		os.Exit(m.Run())
	}
	if err := play(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// kept is what the process keeps; no capability is so rare that root has not got it.
func kept() Set { return Of(unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH) }

func play(out *os.File) error {
	for range 4 { // threads that are there before, and wait in the kernel
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			ready <- true
			select {}
		}()
		<-ready
	}
	if err := Suspend(kept()); err != nil {
		return err
	}
	if err := report(out, "suspended"); err != nil {
		return err
	}
	if _, err := Drop(kept()); err != nil {
		return err
	}
	if err := report(out, "dropped"); err != nil {
		return err
	}
	child := exec.Command("/bin/cat", "/proc/self/status")
	status, err := child.Output()
	if err != nil {
		return fmt.Errorf("run a program: %w", err)
	}
	describe(out, "executed", string(status))
	return nil
}

func report(out *os.File, when string) error {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) < 5 {
		return fmt.Errorf("%d threads, %w", len(threads), err)
	}
	for _, file := range threads {
		status, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read a thread's status: %w", err)
		}
		describe(out, when, string(status))
	}
	return nil
}

func describe(out *os.File, when, status string) {
	line := when
	for text := range strings.Lines(status) {
		if strings.HasPrefix(text, "Cap") || strings.HasPrefix(text, "NoNewPrivs") {
			line += " " + strings.Join(strings.Fields(text), "")
		}
	}
	fmt.Fprintln(out, line)
}

// Every thread, and what it executes, has what was kept and no more.
func TestDrop(t *testing.T) {
	mine, err := read()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=drop")
	out, err := child.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && strings.Contains(string(exit.Stderr), syscall.ENOTSUP.Error()) {
			t.Skip("this test binary is linked with cgo, in which threads are not Go's alone; run with CGO_ENABLED=0")
		}
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	checkLines(t, mine.permitted, string(out))
}

func checkLines(t *testing.T, before Set, out string) {
	t.Helper()
	left := before & kept()
	seen := map[string]int{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		seen[fields[0]]++
		want := []string{fmt.Sprintf("CapEff:%016x", uint64(left)), "CapInh:0000000000000000"}
		switch fields[0] {
		case "suspended":
			want = append(want, fmt.Sprintf("CapPrm:%016x", uint64(before)))
		case "dropped":
			want = append(want, fmt.Sprintf("CapPrm:%016x", uint64(left)), "CapAmb:0000000000000000", "NoNewPrivs:1")
		case "executed": // root's programs get what the bounding set leaves, and no_new_privs permits
			want = append(want, "NoNewPrivs:1", "CapAmb:0000000000000000")
			if before == 0 || os.Geteuid() != 0 {
				want[0] = "CapEff:0000000000000000"
			}
		}
		if before.Has(Of(unix.CAP_SETPCAP)) && fields[0] != "suspended" {
			want = append(want, fmt.Sprintf("CapBnd:%016x", uint64(kept())))
		}
		for _, w := range want {
			if !slices.Contains(fields, w) {
				t.Errorf("%s: no %s", strings.TrimSpace(line), w)
			}
		}
	}
	if seen["suspended"] < 5 || seen["dropped"] < 5 || seen["executed"] != 1 {
		t.Errorf("saw %v:\n%s", seen, out)
	}
}

func TestString(t *testing.T) {
	for want, s := range map[string]Set{
		"none": 0, "CAP_CHOWN": 1, "CAP_SYS_PTRACE,CAP_BPF": Of(unix.CAP_BPF, unix.CAP_SYS_PTRACE),
		"CAP_CHECKPOINT_RESTORE,CAP_63": Of(unix.CAP_LAST_CAP, 63),
	} {
		if got := s.String(); got != want {
			t.Errorf("%b is %s, want %s", uint64(s), got, want)
		}
	}
}
