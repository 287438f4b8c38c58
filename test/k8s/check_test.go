// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// "check" tells whether the API answers, and "why" what it said of a pod; neither
// what the API server is shown.
func TestCheckAndWhyAskTheAPI(t *testing.T) {
	c := newControlPlane(t)
	c.namespace("shop", map[string]string{"tracing": "enabled"})
	c.namespace("bank", nil)
	shop := c.pod("shop", "cart", podOptions{}).serve(t, "127.0.77.1")
	bank := c.pod("bank", "ledger", podOptions{}).serve(t, "127.0.77.2")
	command := func(config string, args ...string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command(os.Getenv("TRACER_AGENT"), append(args, "--config", file)...).CombinedOutput() // "no" is an exit code, too
		return string(out)
	}
	const wrongToken = "wrong-token"
	config := c.agentConfig(byLabel)
	for _, tt := range []struct {
		config string
		args   []string
		want   []string
	}{
		{config, []string{"check"}, []string{"Kubernetes API", "2 pods of this node"}},
		{c.agentConfigAs(wrongToken, byLabel), []string{"check"}, []string{"Kubernetes API", "401"}},
		{config, []string{"why", strconv.Itoa(shop.PID())}, []string{"is traced", "tracing=enabled"}},
		{config, []string{"why", strconv.Itoa(bank.PID())}, []string{"is not traced", "namespace_labels"}},
	} {
		out := command(tt.config, tt.args...)
		if strings.Contains(out, agentToken) || strings.Contains(out, wrongToken) {
			t.Errorf("%s prints the token:\n%s", strings.Join(tt.args, " "), out)
		}
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q:\n%s", strings.Join(tt.args, " "), want, out)
			}
		}
	}
}
