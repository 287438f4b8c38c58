// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const chart = "../../deploy/helm/tracer-agent"

// helm renders the chart.
func helm(t *testing.T, flags ...string) []byte {
	t.Helper()
	args := append([]string{"template", "tracer-agent", chart, "--namespace", "tracer-agent", "--kube-version", "1.34.0"}, flags...)
	return outputOf(t, exec.Command(os.Getenv("K8S_BIN")+"/helm", args...))
}

func kustomize(t *testing.T, dir string) []byte {
	t.Helper()
	return outputOf(t, exec.Command("kubectl", "kustomize", "../../deploy/kustomize/"+dir))
}

func outputOf(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, errs.String())
	}
	return out
}

// objects decodes a file of several objects, by kind and name.
func objects(t *testing.T, text []byte) map[string]object {
	t.Helper()
	found := map[string]object{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var o object
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(o) == 0 {
			continue
		}
		found[fmt.Sprint(o["kind"], "/", o["metadata"].(object)["name"])] = o
	}
}

// decodeConfig replaces the configuration in the ConfigMap, which is text, by
// what it says.
func decodeConfig(t *testing.T, set map[string]object) {
	t.Helper()
	data := set["ConfigMap/tracer-agent"]["data"].(object)
	var config object
	if err := yaml.Unmarshal([]byte(data["config.yaml"].(string)), &config); err != nil {
		t.Fatal(err)
	}
	data["config.yaml"] = config
}

func requireSame(t *testing.T, got, want map[string]object) {
	t.Helper()
	decodeConfig(t, got)
	decodeConfig(t, want)
	for name, w := range want {
		if !reflect.DeepEqual(got[name], w) {
			a, _ := yaml.Marshal(got[name])
			b, _ := yaml.Marshal(w)
			t.Errorf("%s:\n%s\nwant\n%s", name, a, b)
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s is too much", name)
		}
	}
}

func manifest(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../deploy/daemonset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The manifest, the kustomize base and the chart are the same.
func TestManifestsAreTheSame(t *testing.T) {
	if made := outputOf(t, exec.Command("../../scripts/manifest.sh")); !bytes.Equal(made, manifest(t)) {
		t.Error("deploy/daemonset.yaml is not what scripts/manifest.sh prints")
	}
	t.Run("kustomize", func(t *testing.T) { requireSame(t, objects(t, kustomize(t, "base")), objects(t, manifest(t))) })
	t.Run("helm", func(t *testing.T) { requireSame(t, objects(t, helm(t)), objects(t, manifest(t))) })
	t.Run("privileged", func(t *testing.T) {
		requireSame(t, objects(t, helm(t, "--set", "privileged=true")), objects(t, kustomize(t, "overlays/privileged")))
	})
	t.Run("no peers", func(t *testing.T) {
		requireSame(t, objects(t, helm(t, "--set", "peers=false")), objects(t, kustomize(t, "overlays/no-peers")))
	})
}

// The API server takes every variant, with no unknown field, and would make it.
func TestManifestsAreValid(t *testing.T) {
	c := newControlPlane(t) // applies deploy/daemonset.yaml itself
	variants := map[string][]byte{
		"manifest": manifest(t), "base": kustomize(t, "base"), "privileged": kustomize(t, "overlays/privileged"), "no-peers": kustomize(t, "overlays/no-peers"),
		"helm": helm(t), "helm-all": helm(t, "--set", "privileged=true,peers=false,podAnnotations.a=b,config.log.level=debug,imagePullSecrets[0].name=x,env[0].name=A,env[0].value=b"),
	}
	for name, text := range variants {
		file := c.write(name+".yaml", string(text))
		out, err := c.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", file)
		if err != nil || strings.Contains(strings.ToLower(out), "warning") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// What grants something says why, on its line or the one before.
func TestGrantsAreExplained(t *testing.T) {
	for _, name := range []string{"rbac.yaml", "daemonset.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../deploy/kustomize/base", name))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		grants := []string{"hostPID: true", "- BPF", "- PERFMON", "- SYS_PTRACE", "- DAC_READ_SEARCH", "- SYS_RESOURCE", "runAsUser: 0",
			"type: Unconfined", "automountServiceAccountToken: true", "- pods", "- namespaces", "[services]", "[jobs]", "name: cgroup #", "operator: Exists"}
		for i, line := range lines {
			if !slices.ContainsFunc(grants, func(g string) bool { return strings.Contains(line, g) }) {
				continue
			}
			if !strings.Contains(line, "#") && !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#") {
				t.Errorf("%s:%d grants something and does not say why: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// The role grants nothing but reading, and nothing that holds secrets.
func TestRoleOnlyReads(t *testing.T) {
	c := newControlPlane(t)
	for _, deny := range [][]string{
		{"get", "secrets"}, {"list", "secrets"}, {"list", "configmaps"}, {"create", "pods"}, {"create", "pods/exec"}, {"patch", "namespaces"},
		{"get", "nodes/proxy"}, {"update", "jobs.batch"}, {"list", "jobs.batch"}, {"get", "pods/log"},
	} {
		out, _ := c.kubectl("auth", "can-i", deny[0], deny[1], "--all-namespaces", "--as", "system:serviceaccount:tracer-agent:tracer-agent")
		if !strings.HasSuffix(strings.TrimSpace(out), "no") {
			t.Errorf("the agent may %s: %s", strings.Join(deny, " "), out)
		}
	}
}
