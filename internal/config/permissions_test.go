// SPDX-License-Identifier: Apache-2.0

package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWritersAndReaders(t *testing.T) {
	id := identity{uids: []uint32{0, 1000}, gids: []uint32{0, 1000}}
	tests := []struct {
		name             string
		n                inode
		writers, readers string
	}{
		{"private", inode{0o600, 1000, 1000}, "", ""},
		{"root's, public", inode{0o644, 0, 0}, "", "everybody"},
		{"group of the agent", inode{0o660, 0, 1000}, "", ""},
		{"root's group", inode{0o660, 1000, 0}, "", ""},
		{"another group", inode{0o660, 0, 50}, "group 50", "group 50"},
		{"another group may read", inode{0o640, 0, 50}, "", "group 50"},
		{"everybody", inode{0o666, 0, 0}, "everybody", "everybody"},
		{"everybody may write, not read", inode{0o602, 0, 0}, "everybody", ""},
		{"another owner", inode{0o600, 1001, 0}, "user 1001, its owner,", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := id.writers(tt.n); got != tt.writers {
				t.Errorf("writers %q, want %q", got, tt.writers)
			}
			if got := id.readers(tt.n); got != tt.readers {
				t.Errorf("readers %q, want %q", got, tt.readers)
			}
		})
	}
}

// What somebody else could have written is not read.
func TestUntrustedFileIsRefused(t *testing.T) {
	tests := []struct {
		name      string
		file, dir fs.FileMode
		want      string
	}{
		{"private", 0o600, 0o755, ""},
		{"readable", 0o644, 0o755, ""},
		{"writable", 0o666, 0o755, "everybody can write it (mode 0666)"},
		{"replaceable", 0o644, 0o777, "everybody can replace it"},
		{"sticky directory", 0o644, 0o777 | fs.ModeSticky, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := writeMode(t, "log: {level: warn}", tt.file, tt.dir)
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(name, link); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{name, link} {
				cfg, err := Source{File: path}.Load()
				if tt.want == "" && (err != nil || cfg.Log.Level != "warn") {
					t.Errorf("level %q, %v", cfg.Log.Level, err)
				}
				if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || cfg.Log.Level != "info") {
					t.Errorf("level %q, %v; want %q", cfg.Log.Level, err, tt.want)
				}
			}
		})
	}
}

// writeMode writes a file of this mode into a directory of that mode.
func writeMode(t *testing.T, text string, file, dir fs.FileMode) string {
	t.Helper()
	place := t.TempDir()
	name := filepath.Join(place, "config.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]fs.FileMode{name: file, place: dir} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

// Who can write the kubeconfig decides which API server is believed.
func TestUntrustedKubeconfigIsRefused(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{0o600: "", 0o666: "kubernetes.kubeconfig: "} {
		name := writeMode(t, "{}", mode, 0o755)
		_, err := Source{Env: []string{"TRACER_AGENT_KUBERNETES_KUBECONFIG=" + name}}.Load()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("mode %o: %v, want %q", mode, err, want)
		}
	}
}

// So does who can write the authority that the server's certificate is compared
// with. Tokens and keys in files of their own are secrets as they are in the kubeconfig.
func TestFilesOfTheKubeconfig(t *testing.T) {
	const (
		private, readable, writable = fs.FileMode(0o600), fs.FileMode(0o644), fs.FileMode(0o666)
	)
	tests := []struct {
		name, place, key string // place: cluster or user
		mode             fs.FileMode
		refused, warned  string
	}{
		{"authority", "cluster", "certificate-authority", readable, "", ""},
		{"authority that all can write", "cluster", "certificate-authority", writable, "everybody can write it", ""},
		{"token", "user", "tokenFile", private, "", ""},
		{"token that all can read", "user", "tokenFile", readable, "", "everybody can read the secret in it (tokenFile of kubernetes.kubeconfig)"},
		{"token that all can write", "user", "tokenFile", writable, "everybody can write it", ""},
		{"key that all can read", "user", "client-key", readable, "", "(client-key of kubernetes.kubeconfig)"},
		{"certificate", "user", "client-certificate", readable, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := writeMode(t, "x", tt.mode, 0o755)
			parts := map[string]string{"cluster": "server: 'https://k'", "user": "username: u"}
			parts[tt.place] += ", " + tt.key + ": " + file
			kubeconfig := writeMode(t, "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"+
				"clusters: [{name: c, cluster: {"+parts["cluster"]+"}}]\nusers: [{name: u, user: {"+parts["user"]+"}}]\n", private, 0o755)
			s := Source{Env: []string{"TRACER_AGENT_KUBERNETES_KUBECONFIG=" + kubeconfig}}
			cfg, err := s.Load()
			if (err != nil) != (tt.refused != "") || err != nil && (!strings.Contains(err.Error(), tt.refused) || !strings.Contains(err.Error(), file)) {
				t.Fatalf("%v, want %q", err, tt.refused)
			}
			if err != nil {
				return
			}
			got := s.Warnings(cfg)
			if tt.warned == "" && len(got) > 0 || tt.warned != "" && (len(got) != 1 || !strings.Contains(got.Error(), tt.warned)) {
				t.Errorf("got %q, want %q", got, tt.warned)
			}
		})
	}
}

func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	name := writeMode(t, "log: {level: warn}", 0o600, 0o755)
	if err := os.Chown(name, 4321, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := (Source{File: name}).Load(); err == nil || !strings.Contains(err.Error(), "user 4321, its owner, can write it") {
		t.Errorf("another user's file: %v", err)
	}
	if _, err := (Source{File: name, Env: []string{"SUDO_UID=4321"}}).Load(); err != nil {
		t.Errorf("file of who called sudo: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	open := writeMode(t, "export: {otlp: {headers: {x-key: CANARY}}}", 0o644, 0o755)
	private := writeMode(t, "export: {otlp: {headers: {x-key: CANARY}}}", 0o600, 0o755)
	harmless := writeMode(t, "log: {level: warn}", 0o644, 0o755)
	byKey := writeMode(t, "export: {otlp: {tls: {cert_file: /c, key_file: "+open+"}}}", 0o600, 0o755)
	tests := []struct {
		name string
		s    Source
		want string // "" for no warning
	}{
		{"headers that all can read", Source{File: open}, open + ": export.otlp.headers: everybody can read these headers"},
		{"private headers", Source{File: private}, ""},
		{"no secret", Source{File: harmless}, ""},
		{"no file", Source{}, ""},
		{"key file", Source{File: byKey}, "everybody can read the secret in it (export.otlp.tls.key_file)"},
		{"key of a variable", Source{Env: []string{"OTEL_EXPORTER_OTLP_CLIENT_KEY=" + open}}, "(OTEL_EXPORTER_OTLP_CLIENT_KEY)"},
		{"kubeconfig", Source{Env: []string{"TRACER_AGENT_KUBERNETES_KUBECONFIG=" + open}}, "(kubernetes.kubeconfig)"},
		{"private key", Source{Env: []string{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY=" + private}}, ""},
		{"no such key", Source{Env: []string{"OTEL_EXPORTER_OTLP_CLIENT_KEY=/nowhere/key"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := tt.s.Load()
			if err != nil {
				t.Fatal(err)
			}
			got := tt.s.Warnings(cfg)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got.Error(), tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if strings.Contains(got.Error(), "CANARY") {
				t.Errorf("a secret in %q", got)
			}
		})
	}
}

// Values of headers and passwords in URLs stand in no message, however wrong
// the configuration is.
func TestMessagesHoldNoSecrets(t *testing.T) {
	const canary = "CANARY-b1d6"
	for _, text := range []string{
		`export: {otlp: {headers: "x-key=CANARY-b1d6"}}`,
		`export: {otlp: {headers: ["x-key=CANARY-b1d6"]}}`,
		`export: {otlp: {headers: {"bad name": CANARY-b1d6}}}`,
		`export: {otlp: {headers: {x-key: [CANARY-b1d6]}}}`,
		`export: {otlp: {headers: {x-key: {CANARY-b1d6: 1}}}}`,
		`export: {otlp: {headers: {x-key: "CANARY-b1d6\nx: y"}}}`,
		`export: {otlp: {headers: {x-key: *CANARY-b1d6}}}`,
		`export: {otlp: {headers: {x-key: CANARY-b1d6}, endpoint: "ftp://u:CANARY-b1d6@host"}}`,
		`export: {otlp: {endpoint: "http://u:CANARY-b1d6@host:4318"}}`,
		`export: {otlp: {endpoint: "http://u:CANARY-b1d6@:4318"}}`,
		`export: {otlp: {endpoint: "http://u:CANARY-b1d6@host:port"}}`,
		`export: {otlp: {endpoint: "u:CANARY-b1d6@host:4318"}}`,
		"export:\n  otlp:\n    headers:\n      x-key: \"CANARY-b1d6\n",
		"export:\n  otlp:\n    headers:\n      x-key: 'CANARY-b1d6'CANARY-b1d6\n",
		"export:\n  otlp:\n    headers:\n     x-key: CANARY-b1d6\n    - CANARY-b1d6\n",
		"export:\n  otlp:\n    headers: {x-key: CANARY-b1d6\n",
		"export:\n\totlp: {headers: {x-key: CANARY-b1d6}}\n",
		"export:\n  otlp:\n    headers:\n      x-key: @CANARY-b1d6\n",
		"export:\n  otlp:\n    headers:\n      x-key: CANARY-b1d6: CANARY-b1d6\n",
	} {
		_, err := Source{File: writeMode(t, text, 0o600, 0o755)}.Load()
		if err == nil {
			t.Errorf("accepted: %s", text)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s\ngives %v", text, err)
		}
	}
}
