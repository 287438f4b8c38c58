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
	"regexp"
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

// grant matches lines that give the agent something that pods have not.
var grant = regexp.MustCompile(`host(PID|IPC|Network|Users): true|hostPort:|hostPath:|privileged: true|enforce: privileged|allowPrivilegeEscalation: true|` +
	`Unconfined|procMount:|runAsUser: 0|automountServiceAccountToken: true|operator: Exists|resources: \[|` +
	`^ *- ([A-Z]{2}[A-Z_]*|pods|namespaces|services|secrets|nodes|jobs|replicasets|endpointslices)( |$)`)

// What grants something says why, on its line or the one before.
func TestGrantsAreExplained(t *testing.T) {
	for name, want := range map[string]int{
		"kustomize/base/rbac.yaml": 4, "kustomize/base/daemonset.yaml": 11, "kustomize/base/namespace.yaml": 1, "kustomize/overlays/privileged/kustomization.yaml": 2,
		"helm/tracer-agent/templates/rbac.yaml": 4, "helm/tracer-agent/templates/daemonset.yaml": 11, "helm/tracer-agent/templates/namespace.yaml": 1, "helm/tracer-agent/values.yaml": 1,
	} {
		text, err := os.ReadFile(filepath.Join("../../deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		lines, found := strings.Split(string(text), "\n"), 0
		for i, line := range lines {
			if strings.HasPrefix(strings.TrimSpace(line), "#") || !grant.MatchString(line) {
				continue
			}
			found++
			if !strings.Contains(line, "#") && !strings.Contains(lines[i-1], "#") {
				t.Errorf("%s:%d grants something and does not say why: %s", name, i+1, strings.TrimSpace(line))
			}
		}
		if found != want {
			t.Errorf("%s grants %d things, %d are known: is each meant, and does the search see each?", name, found, want)
		}
	}
}

// at is the value below keys of an object, nil if there is none.
func at(o object, keys ...string) any {
	var v any = o
	for _, key := range keys {
		inner, _ := v.(object)
		v = inner[key]
	}
	return v
}

// The DaemonSet has what runs well on every node, and nothing that it needs not.
func TestDaemonSetIsConfined(t *testing.T) {
	spec := objects(t, manifest(t))["DaemonSet/tracer-agent"]["spec"].(object)
	pod := at(spec, "template", "spec").(object)
	container := pod["containers"].([]any)[0].(object)
	for what, v := range map[string]struct{ got, want any }{
		"hostPID":            {pod["hostPID"], true},
		"hostNetwork":        {pod["hostNetwork"], nil},
		"hostIPC":            {pod["hostIPC"], nil},
		"priority class":     {pod["priorityClassName"], "tracer-agent"},
		"tolerations":        {pod["tolerations"], []any{object{"operator": "Exists"}}},
		"containers":         {len(pod["containers"].([]any)), 1},
		"update strategy":    {at(spec, "updateStrategy", "type"), "RollingUpdate"},
		"readiness":          {at(container, "readinessProbe", "httpGet", "path"), "/readyz"},
		"liveness":           {at(container, "livenessProbe", "httpGet", "path"), "/healthz"},
		"start":              {at(container, "startupProbe", "httpGet", "path"), "/healthz"},
		"memory":             {at(container, "resources", "requests", "memory"), "96Mi"},
		"memory at most":     {at(container, "resources", "limits", "memory"), "256Mi"},
		"processor":          {at(container, "resources", "requests", "cpu"), "50m"},
		"root file system":   {at(container, "securityContext", "readOnlyRootFilesystem"), true},
		"privileged":         {at(container, "securityContext", "privileged"), nil},
		"more privileges":    {at(container, "securityContext", "allowPrivilegeEscalation"), false},
		"capabilities taken": {at(container, "securityContext", "capabilities", "drop"), []any{"ALL"}},
		"capabilities":       {at(container, "securityContext", "capabilities", "add"), []any{"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"}},
	} {
		if !reflect.DeepEqual(v.got, v.want) {
			t.Errorf("%s: %v, want %v", what, v.got, v.want)
		}
	}
	for _, m := range container["volumeMounts"].([]any) {
		if m.(object)["readOnly"] != true {
			t.Errorf("%v can be written", m)
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
