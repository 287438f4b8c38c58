// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Debian package is installed, changed, installed again, removed and purged in a
// clean root, and leaves nothing.
func TestDeb(t *testing.T) {
	root := cleanRoot(t)
	before := listing(t, root)
	deb := copyInto(t, root, artifact(t, "tracer-agent_*_amd64.deb"))
	inRoot(t, root, "dpkg", "-i", deb)
	os.Remove(root + deb)
	hasInstalled(t, "/usr", added(before, listing(t, root)))
	worksIn(t, root, "/usr/bin/tracer-agent")

	config := root + "/etc/tracer-agent/config.yaml"
	secrets := root + "/etc/tracer-agent/environment"
	write(t, config, "instrument: [{ports: [\"8080\"]}]\n")
	write(t, secrets, "OTEL_EXPORTER_OTLP_HEADERS=x-key=secret\n")
	inRoot(t, root, "dpkg", "-i", copyInto(t, root, artifact(t, "tracer-agent_*_amd64.deb")))
	os.Remove(root + deb)
	if text := read(t, config); !strings.Contains(text, "8080") {
		t.Errorf("installing again overwrote the configuration: %s", text)
	}

	inRoot(t, root, "dpkg", "-r", "tracer-agent")
	left := added(before, listing(t, root))
	for _, kept := range []string{"/etc/tracer-agent", "/etc/tracer-agent/config.yaml", "/etc/tracer-agent/environment"} {
		if left[kept] == "" {
			t.Errorf("removing took %s, which only purging may", kept)
		}
		delete(left, kept)
	}
	for name := range left {
		t.Errorf("removing left %s", name)
	}
	inRoot(t, root, "dpkg", "-P", "tracer-agent")
	same(t, before, listing(t, root))
}

func TestRPM(t *testing.T) {
	root := cleanRoot(t)
	inRoot(t, root, "mkdir", "-p", "/var/lib/rpm")
	before := listing(t, root)
	rpm := artifact(t, "tracer-agent-*.x86_64.rpm")
	command(t, "rpm", "--root", root, "--dbpath", "/var/lib/rpm", "--dbpath", "/var/lib/rpm", "--nodeps", "-i", rpm)
	came := added(before, listing(t, root))
	hasInstalled(t, "/usr", came)
	worksIn(t, root, "/usr/bin/tracer-agent")
	command(t, "rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-V", "tracer-agent")

	command(t, "rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-e", "tracer-agent")
	for name, what := range added(before, listing(t, root)) {
		if strings.Contains(name, "tracer-agent") || what[0] != 'd' { // RPM leaves directories that packages share
			t.Errorf("removing left %s", name)
		}
	}
	if info := command(t, "rpm", "-qp", "--qf", "%{ARCH} %{OS} %{BUILDHOST}", artifact(t, "tracer-agent-*.aarch64.rpm")); info != "aarch64 linux build.invalid" {
		t.Errorf("the arm64 package is of %s", info)
	}
}

func TestMakeInstall(t *testing.T) {
	dest := t.TempDir()
	before := listing(t, dest)
	// The tree that is tested, not that of the packages: what users run after make build.
	tree := func(target string) {
		command(t, "make", "-C", "../..", "--no-print-directory", target, "DESTDIR="+dest, "PREFIX=/opt/tracer")
	}
	tree("install")
	hasInstalled(t, "/opt/tracer", added(before, listing(t, dest)))
	unit := read(t, dest+"/opt/tracer/lib/systemd/system/tracer-agent.service")
	if !strings.Contains(unit, "ExecStart=/opt/tracer/bin/tracer-agent run --config /etc/tracer-agent/config.yaml\n") || strings.Contains(unit, "/usr/") {
		t.Errorf("the unit names paths of another prefix:\n%s", unit)
	}
	write(t, dest+"/etc/tracer-agent/config.yaml", "# mine\n")
	tree("install")
	if text := read(t, dest+"/etc/tracer-agent/config.yaml"); text != "# mine\n" {
		t.Errorf("installing again overwrote the configuration: %s", text)
	}
	tree("uninstall")
	for name, what := range added(before, listing(t, dest)) {
		if what[0] != 'd' && name != "/etc/tracer-agent/config.yaml" {
			t.Errorf("uninstalling left %s", name)
		}
	}
}

// worksIn runs the installed program: it needs nothing of the root it is in.
func worksIn(t *testing.T, root, program string) {
	t.Helper()
	if out := inRoot(t, root, program, "version"); !strings.Contains(out, "tracer-agent ") || !strings.Contains(out, "BPF ABI") {
		t.Errorf("version printed %s", out)
	}
	if text := read(t, filepath.Join(root, "/etc/tracer-agent/config.yaml")); !strings.Contains(text, "instrument: []") {
		t.Errorf("the shipped configuration selects something:\n%s", text)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
