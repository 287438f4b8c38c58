// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// kernelsVariable names stock kernels (paths of vmlinuz, separated by spaces) on
// which the package is installed under a systemd that runs.
const kernelsVariable = "TRACER_KERNELS"

// bootLimit is how long a guest may take on an emulated processor of a busy machine.
const bootLimit = 15 * time.Minute

// TestUnderSystemd boots a clean Debian in a virtual machine and does there what an
// administrator does (testdata/proof.sh): install, configure, enable, trace units,
// upgrade, make a mistake, remove, purge.
func TestUnderSystemd(t *testing.T) {
	kernels := strings.Fields(os.Getenv(kernelsVariable))
	if len(kernels) == 0 {
		t.Fatalf("%s names no kernel: run make test-packaging", kernelsVariable)
	}
	disk := bootDisk(t)
	for _, kernel := range kernels {
		t.Run(filepath.Base(filepath.Dir(kernel)), func(t *testing.T) {
			said := boot(t, kernel, disk)
			checkProof(t, said, strings.Contains(kernel, "5.10"))
		})
	}
}

// bootDisk makes the file system of the guests.
func bootDisk(t *testing.T) string {
	t.Helper()
	root := cleanRoot(t)
	for file, to := range map[string]string{
		artifact(t, "tracer-agent_*_amd64.deb"): "/agent.deb",
		suite.Program("web"):                    "/usr/local/bin/web",
		"testdata/proof.sh":                     "/proof.sh",
		"testdata/web.service":                  "/etc/systemd/system/web.service",
		"testdata/late.service":                 "/etc/systemd/system/late.service",
		"testdata/other.service":                "/etc/systemd/system/other.service",
		"testdata/proof.service":                "/etc/systemd/system/proof.service",
	} {
		command(t, "cp", file, root+to)
	}
	inRoot(t, root, "systemctl", "enable", "proof.service")
	disk := filepath.Join(t.TempDir(), "disk")
	command(t, "mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-d", root, disk, "900M")
	return disk
}

// boot runs the guest to its end and returns what the proof printed, by section.
func boot(t *testing.T, kernel, disk string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), bootLimit)
	defer cancel()
	// The processor is described as test/vm/run.sh does, where the reasons stand.
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max,-cx16,la57=off", "-m", "1G",
		"-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none", "-net", "none",
		"-serial", "file:"+dir+"/console", "-serial", "file:"+dir+"/said",
		"-drive", "file="+disk+",format=raw,if=none,id=root,snapshot=on", "-device", "nvme,serial=root,drive=root",
		"-kernel", kernel, "-append", "console=ttyS0 no_timer_check quiet panic=-1 oops=panic root=/dev/nvme0n1 rootfstype=ext4 rootwait rw net.ifnames=0 systemd.mask=serial-getty@ttyS0.service")
	out, err := qemu.CombinedOutput()
	said, _ := os.ReadFile(dir + "/said") // empty if there is none
	if err != nil || !strings.Contains(string(said), "@@ end") {
		console, _ := os.ReadFile(dir + "/console")
		t.Fatalf("the guest ended with %v %s\nsaid:\n%s\nconsole:\n%s", err, out, said, suite.Tail(string(console), 4000))
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(strings.ReplaceAll(string(said), "\r", ""), "@@ ") {
		name, text, _ := strings.Cut(part, "\n")
		sections[name] = text
	}
	return sections
}

// checkProof checks each section. On old kernels CAP_BPF stays.
func checkProof(t *testing.T, said map[string]string, old bool) {
	t.Helper()
	for section, wants := range map[string][]string{
		"installed":  {"disabled", "inactive"},
		"enabled":    {"enabled", "active"},
		"log":        {"tracer-agent ready:", `"/before"`, `"/after"`, `"/late"`, `"service.name":"web"`},
		"status":     {"NoNewPrivs:\t1", "Seccomp:\t2"},
		"reloaded":   {"traced after reload", "same process"},
		"upgraded":   {"active", "another process"},
		"mistaken":   {"ExecMainStatus=2", "NRestarts=0", "failed"},
		"removed":    {"inactive", "no unit", "configuration kept"},
		"purged":     {"nothing left"},
		"confined":   {"no capability error"},
		"neighbours": {"not traced"},
	} {
		for _, want := range wants {
			if !regexp.MustCompile(regexpOf(want)).MatchString(said[section]) {
				t.Errorf("%s: no %q in\n%s", section, want, said[section])
			}
		}
	}
	checkCapabilities(t, said["status"], old)
	if regexp.MustCompile(`Uid:\s0\s`).MatchString(said["status"]) {
		t.Errorf("the service runs as root:\n%s", said["status"])
	}
	if bare := strings.Contains(said["log"], "no probes in Go programs"); bare && !old { // see hasUprobeMulti
		t.Error("probes in Go programs need a capability")
	}
	if score := exposure(t, said["score"]); score > exposureLimit {
		t.Errorf("exposure %.1f, at most %.1f", score, exposureLimit)
	}
	if t.Failed() {
		t.Logf("the agent said\n%s", suite.Tail(said["log"], 4000))
	}
}

// checkCapabilities checks the lines of a status file.
func checkCapabilities(t *testing.T, lines string, old bool) {
	t.Helper()
	found := regexp.MustCompile(`CapEff:\s*([0-9a-f]+)`).FindStringSubmatch(lines)
	if found == nil {
		t.Fatalf("no CapEff in\n%s", lines)
	}
	effective, err := strconv.ParseUint(found[1], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("CapEff %016x", effective)
	if effective&lasting != lasting || effective&^(lasting|bpf|perfmon) != 0 || old && effective&bpf == 0 {
		t.Errorf("CapEff is %016x", effective)
	}
}

// regexpOf quotes alternatives that are separated by a bar.
func regexpOf(alternatives string) string {
	parts := strings.Split(alternatives, "|")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return strings.Join(parts, "|")
}
