// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// guestVariable names test/vm/guest.sh of the checkout, where kernels are kept.
const guestVariable = "TRACER_GUEST"

// armProgram unpacks the arm64 package for Debian and returns the program.
func armProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command(t, "dpkg-deb", "-x", artifact(t, "tracer-agent_*_arm64.deb"), dir)
	return dir + "/usr/bin/tracer-agent"
}

// The arm64 packages hold the same files as those for amd64, and an arm64 program,
// which is the same in both packages and the tarball.
func TestArm64(t *testing.T) {
	list := func(arch string) string {
		var names []string
		for line := range strings.Lines(command(t, "dpkg-deb", "-c", artifact(t, "tracer-agent_*_"+arch+".deb"))) {
			fields := strings.Fields(line)
			names = append(names, fields[0]+" "+fields[1]+" "+fields[5])
		}
		return strings.Join(names, "\n")
	}
	if amd, arm := list("amd64"), list("arm64"); amd != arm || amd == "" {
		t.Errorf("amd64:\n%s\narm64:\n%s", amd, arm)
	}
	program := read(t, armProgram(t))
	if !strings.HasPrefix(program, "\x7fELF") || program[18] != 183 { // e_machine EM_AARCH64, elf(5)
		t.Errorf("the program begins with %q", program[:20])
	}
	dir := t.TempDir()
	command(t, "tar", "-xf", artifact(t, "tracer-agent-*-linux-arm64.tar.gz"), "-C", dir, "--strip-components=1")
	if read(t, dir+"/bin/tracer-agent") != program {
		t.Error("the tarball holds another program than the package")
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(program)))
	if dump := command(t, "rpm", "-qp", "--dump", artifact(t, "tracer-agent-*.aarch64.rpm")); !strings.Contains(dump, sum) {
		t.Errorf("rpm's package holds another program than %s:\n%s", sum, dump)
	}
}

// The arm64 program runs on a stock kernel of that architecture, says that it can
// trace there, and does.
func TestArm64Runs(t *testing.T) {
	guest := os.Getenv(guestVariable)
	if guest == "" {
		t.Fatalf("%s is not set: run make test-packaging", guestVariable)
	}
	proof, err := filepath.Abs("testdata/proof-arm64.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(guest, "6.12-arm64", t.TempDir(), "sh ./proof-arm64.sh", proof)
	cmd.Env = append(os.Environ(), "AGENT_BIN="+armProgram(t), "VM_TIMEOUT=1500")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, suite.Tail(string(out), 4000))
	}
	for _, want := range []string{"linux/arm64", "This machine can trace", `"url.path":"/arm64"`, "ended with 0"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in\n%s", want, suite.Tail(string(out), 4000))
		}
	}
}
