// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// preemptible says whether a task can lose the processor in the middle of a BPF
// program: the kernel was built to be preempted (UTS_VERSION, init/Makefile), and
// nothing says that it was told not to be.
func preemptible() (bool, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false, fmt.Errorf("uname: %w", err)
	}
	if !strings.Contains(unix.ByteSliceToString(name.Version[:]), "PREEMPT") {
		return false, nil
	}
	model := preemptionModel(os.DirFS("/"), unix.ByteSliceToString(name.Release[:]))
	return model != "none" && model != "voluntary", nil
}

// preemptionModel reads none, voluntary, lazy or full from the files of a
// machine whose kernel can change it (CONFIG_PREEMPT_DYNAMIC): what is in force,
// or was asked for at boot, or was chosen when the kernel was built. A container
// sees the host's files through process 1. "" is unknown.
func preemptionModel(root fs.FS, release string) string {
	for _, file := range []string{"sys/kernel/debug/sched/preempt", "proc/1/root/sys/kernel/debug/sched/preempt"} {
		if text, err := fs.ReadFile(root, file); err == nil { // none (voluntary) full: sched_dynamic_show, kernel/sched/debug.c
			_, rest, _ := strings.Cut(string(text), "(")
			model, _, _ := strings.Cut(rest, ")")
			return model
		}
	}
	if line, err := fs.ReadFile(root, "proc/cmdline"); err == nil {
		for option := range strings.FieldsSeq(string(line)) {
			if model, ok := strings.CutPrefix(option, "preempt="); ok {
				return model
			}
		}
	}
	for _, file := range []string{"proc/config.gz", "boot/config-" + release, "proc/1/root/boot/config-" + release} {
		if text, err := fs.ReadFile(root, file); err == nil {
			return configuredModel(text)
		}
	}
	return ""
}

// configuredModel is the default in a kernel's configuration, compressed or not.
func configuredModel(config []byte) string {
	lines := io.Reader(bytes.NewReader(config))
	if z, err := gzip.NewReader(bytes.NewReader(config)); err == nil {
		lines = z
	}
	for s := bufio.NewScanner(lines); s.Scan(); {
		switch s.Text() {
		case "CONFIG_PREEMPT_NONE=y":
			return "none"
		case "CONFIG_PREEMPT_VOLUNTARY=y":
			return "voluntary"
		case "CONFIG_PREEMPT_LAZY=y":
			return "lazy"
		case "CONFIG_PREEMPT=y", "CONFIG_PREEMPT_RT=y":
			return "full"
		}
	}
	return ""
}
