// SPDX-License-Identifier: Apache-2.0

//go:build integration

package harm

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/rig"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

const nginxConfig = `daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx-error.log warn;
user root;
worker_processes 2;
events { worker_connections 512; }
http {
  access_log off;
  default_type text/plain;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 600;
  # Patience: on a slow machine the pieces of a request may be seconds apart.
  lingering_time 600;
  lingering_timeout 600;
  client_header_timeout 600;
  client_body_timeout 600;
  send_timeout 600;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen 127.0.0.1:%[2]d;
    root %[1]s;
    location = /ok { return 200 "ok $args\n"; }
    location = /post { return 200 "$content_length\n"; }
  }
}
`

// server is an application that the agent watches.
type server struct {
	*rig.Process
	port    int
	targets []string // as the client role is told
}

// startServers starts every server that this machine has; the agent's selection
// is their ports.
func startServers(t *testing.T, dir string) []*server {
	t.Helper()
	list := []*server{startMirror(t, dir)}
	for _, s := range []struct {
		name, program, features string
		command                 func(port int) string
	}{
		{"nginx", "/usr/sbin/nginx", "pc", func(port int) string { return "/usr/sbin/nginx -c " + nginxFiles(t, dir, port) }},
		{"python", "python3", "p", func(port int) string { return fmt.Sprintf("python3 testdata/server.py %d", port) }},
		{"node", "node", "pc", func(port int) string { return fmt.Sprintf("node testdata/server.js %d", port) }},
	} {
		if _, err := exec.LookPath(s.program); err != nil {
			t.Logf("not among the servers: %v", err)
			continue
		}
		port := serverPort(t)
		srv := launch(t, dir, s.name, s.command(port), port)
		srv.targets = []string{fmt.Sprintf("%s,tcp,127.0.0.1:%d,%s", s.name, port, s.features)}
		list = append(list, srv)
	}
	return list
}

func startMirror(t *testing.T, dir string) *server {
	t.Helper()
	port, path := serverPort(t), filepath.Join(dir, "mirror.sock")
	s := launch(t, dir, "mirror", fmt.Sprintf("env %s=mirror %s 127.0.0.1:%d %s", roleVariable, copySelf(t, dir, "harm-mirror"), port, path), port)
	s.targets = []string{
		fmt.Sprintf("mirror,tcp,127.0.0.1:%d,pc", port),
		fmt.Sprintf("noise,tcp,127.0.0.1:%d,", port),
		fmt.Sprintf("unix,unix,%s,pc", path),
	}
	return s
}

// launch starts a server and waits until it listens.
func launch(t *testing.T, dir, name, command string, port int) *server {
	t.Helper()
	p, err := rig.Start(dir, name, command, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	suite.Poll(t, 5*time.Minute, name+" listens", func() bool {
		if !p.Running() {
			t.Fatalf("%s: %s", p.Outcome(), logOf(dir, name))
		}
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		return err == nil && conn.Close() == nil
	})
	return &server{Process: p, port: port}
}

func nginxFiles(t *testing.T, dir string, port int) string {
	t.Helper()
	home, file := filepath.Join(dir, "nginx-home"), filepath.Join(dir, "nginx.conf")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{file: fmt.Sprintf(nginxConfig, home, port), filepath.Join(home, "big"): bigBody()} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// serverPort returns a port below those that the kernel gives to clients.
func serverPort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// logOf returns the end of what a process printed.
func logOf(dir, label string) string {
	text, err := os.ReadFile(filepath.Join(dir, label+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
