// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKubeconfig(t *testing.T) {
	ca := base64.StdEncoding.EncodeToString([]byte("PEM"))
	config := func(cluster, user string) string {
		return "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- {name: other, context: {cluster: a, user: b}}\n" +
			"- {name: here, context: {cluster: c, user: u}}\nclusters:\n- {name: c, cluster: {" + cluster + "}}\nusers:\n- {name: u, user: {" + user + "}}\n"
	}
	a, err := FromKubeconfig(write(t, "config", config("server: 'https://k:6443', certificate-authority-data: "+ca+", tls-server-name: n", "tokenFile: token")))
	if err != nil {
		t.Fatal(err)
	}
	if a.Server != "https://k:6443" || string(a.CA) != "PEM" || a.ServerName != "n" || filepath.Base(a.TokenFile) != "token" || !filepath.IsAbs(a.TokenFile) {
		t.Errorf("access: %+v", a)
	}
	for text, want := range map[string]string{
		config("server: 'https://k'", "exec: {command: aws}"):               "by a program are not supported",
		config("certificate-authority-data: x", ""):                         "names no cluster",
		config("server: 'https://k', certificate-authority: none.pem", ""):  "no such file",
		config("server: 'https://k', certificate-authority-data: '*'", ""):  "illegal base64",
		"users: [{user: {token: SECRET}":                                    "not valid YAML",
		strings.Replace(config("server: 'https://k'", ""), "here", "no", 1): `the current context "no"`,
	} {
		_, err := FromKubeconfig(write(t, "config", text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func TestOutsideACluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := InCluster(); err != ErrNoCluster {
		t.Errorf("error %v, want %v", err, ErrNoCluster)
	}
}

// Certificates are checked, the token is sent and read again when it is old, and
// errors tell what the server said.
func TestRequests(t *testing.T) {
	var got string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		if r.URL.Path == "/refused" {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"kind": "Status", "message": "slower"}`)
		}
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	a := Access{Server: server.URL, CA: ca, TokenFile: write(t, "token", "one\n")}
	c, err := newClient(a)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	body, err := c.get(t.Context(), "/x", nil, "application/json")
	if err != nil || got != "Bearer one" {
		t.Fatalf("authorization %q, %v", got, err)
	}
	body.Close()
	_, err = c.get(t.Context(), "/refused", nil, "application/json")
	if err == nil || !strings.Contains(err.Error(), "slower") || retryAfter(err).Seconds() != 7 {
		t.Errorf("error %v, again after %s; want what the server said, 7s", err, retryAfter(err))
	}
	stranger, err := newClient(Access{Server: server.URL, CA: nil})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.close()
	if _, err := stranger.get(t.Context(), "/x", nil, "application/json"); err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
	if _, err := newClient(Access{CA: []byte("no PEM")}); err == nil {
		t.Error("a certificate authority without a certificate was accepted")
	}
}

// No answer, however broken, crashes the reader, and only a whole list is taken
// for one.
func FuzzReadList(f *testing.F) {
	for _, text := range []string{
		`{"items": [{"metadata": {"uid": "x"}}], "metadata": {"resourceVersion": "1", "continue": "c"}}`,
		`{"metadata": {"resourceVersion": "1"}, "items": null}`, `{"items": [`, `[]`, `{"items": {}}`, `{"kind": "Status"}`, ``,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		p, err := readList(strings.NewReader(text), func(*podObject) { n++ })
		if err == nil && p.version == "" {
			t.Errorf("%q: a list without a version", text)
		}
	})
}
