// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exposureLimit is the worst score of "systemd-analyze security" (0 to 10, less is
// better) that the unit may have.
const exposureLimit = 2.5

// The unit is valid, its score is as good as docs/install.md says.
func TestUnit(t *testing.T) {
	root := cleanRoot(t)
	inRoot(t, root, "dpkg", "-i", copyInto(t, root, artifact(t, "tracer-agent_*_amd64.deb")))
	const unit = "/usr/lib/systemd/system/tracer-agent.service"
	if out := inRoot(t, root, "systemd-analyze", "verify", "--man=no", unit); strings.TrimSpace(out) != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	score := exposure(t, inRoot(t, root, "systemd-analyze", "security", "--no-pager", "--offline=true", unit))
	if score > exposureLimit {
		t.Errorf("exposure %.1f, at most %.1f", score, exposureLimit)
	}
	if want := fmt.Sprintf("exposure level of %.1f", score); !strings.Contains(read(t, "../../docs/install.md"), want) {
		t.Errorf("docs/install.md does not say %q", want)
	}
}

func exposure(t *testing.T, out string) float64 {
	t.Helper()
	found := regexp.MustCompile(`Overall exposure level for tracer-agent.service: ([0-9.]+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no score in\n%s", out)
	}
	score, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return score
}

// The scripts and the unit of the packages are free of what shells trip over.
func TestScriptsParse(t *testing.T) {
	for _, script := range []string{"postinstall.sh", "preremove.sh", "postremove.sh", "package.sh", "stage.sh"} {
		if out, err := exec.Command("dash", "-n", "../../deploy/packaging/"+script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}
