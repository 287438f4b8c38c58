// SPDX-License-Identifier: Apache-2.0

package harness

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/test/rig"
)

//go:embed pyserver.py
var pyServer string

// Kind is a server program that the benchmarks know how to start.
type Kind string

// The servers: all answer every path with about 200 bytes, or 2 for Nginx.
const (
	Nginx  Kind = "nginx"  // one worker, "return 200"
	Go     Kind = "go"     // net/http, test/bench/goserver
	Python Kind = "python" // http.server, one thread per connection
)

const nginxConfig = `daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile %[4]d;
error_log %[1]s/nginx-error.log warn;
pid %[1]s/nginx.pid;
events { worker_connections %[4]d; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  default_type text/plain;
  server {
    listen 127.0.0.1:%[2]d backlog=4096;
    location / { return 200 "%[3]s"; }
  }
}
`

// server is a started server program.
type server struct {
	*rig.Process
	port int
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// startServer starts a server on a free port and waits until it listens.
// It runs on processor cpu only, or on any if that is negative.
func startServer(s Settings, kind Kind, label string) (*server, error) {
	port, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	command, err := serverCommand(s, kind, label, port)
	if err != nil {
		return nil, err
	}
	if s.ServerCPU >= 0 {
		command = fmt.Sprintf("taskset -c %d %s", s.ServerCPU, command)
	}
	p, err := rig.Start(s.Dir, label, command, nil, nil)
	if err != nil {
		return nil, err
	}
	started := &server{Process: p, port: port}
	if err := awaitListen(started); err != nil {
		p.Stop()
		return nil, err
	}
	return started, nil
}

func serverCommand(s Settings, kind Kind, label string, port int) (string, error) {
	switch kind {
	case Nginx:
		dir := filepath.Join(s.Dir, label)
		file := filepath.Join(s.Dir, label+".conf")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("make nginx's folder: %w", err)
		}
		config := fmt.Sprintf(nginxConfig, dir, port, strings.Repeat("x", s.NginxBody), openFiles())
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			return "", fmt.Errorf("write nginx's configuration: %w", err)
		}
		return s.NginxPath + " -c " + file, nil
	case Go:
		return fmt.Sprintf("%s 127.0.0.1:%d", s.GoServer, port), nil
	case Python:
		file := filepath.Join(s.Dir, "pyserver.py")
		if err := os.WriteFile(file, []byte(pyServer), 0o644); err != nil {
			return "", fmt.Errorf("write the Python server: %w", err)
		}
		return fmt.Sprintf("python3 %s %d", file, port), nil
	}
	return "", fmt.Errorf("unknown server %q", kind)
}

func awaitListen(s *server) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !s.Running() {
			return fmt.Errorf("%s ended at once; see %s.log", s.Label, s.Label)
		}
		if c, err := net.Dial("tcp", s.addr()); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("%s does not listen on %s", s.Label, s.addr())
}

// openFiles is how many files a process may have open.
func openFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return limit.Cur
}

// startCrowd starts n idle processes of one program, as children of one shell,
// and returns how the agent is told to select them.
func startCrowd(s Settings, n int) (p *rig.Process, more string, err error) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		return nil, "", fmt.Errorf("start idle processes: %w", err)
	}
	program := filepath.Join(s.Dir, "idler")
	if out, err := exec.Command("cp", sleep, program).CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("copy %s: %w: %s", sleep, err, out)
	}
	started := make(chan struct{})
	loop := fmt.Sprintf(`/bin/sh -c 'i=0; while [ $i -lt %d ]; do %s 1000000 & i=$((i+1)); done; echo started; wait'`, n, program)
	p, err = rig.Start(s.Dir, "crowd", loop, nil, func(line string) {
		if line == "started" {
			close(started)
		}
	})
	if err != nil {
		return nil, "", err
	}
	select {
	case <-started:
		return p, "--exe " + program, nil
	case <-p.Ended():
		return nil, "", fmt.Errorf("start idle processes: %w", p.Outcome())
	}
}
