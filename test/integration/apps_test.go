// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// server is a running server under test. Every application serves /ok, /fail
// (500), /empty (204), /notmodified, /size/N and 404 for the rest; feature says
// what else it can do.
type server struct {
	*suite.Process
	name string
	port int    // 0 for a unix socket
	unix string // path of its unix socket
	pids []int  // what process.pid of its spans may be; nil: not checked
	feature
}

// feature is the set of things that an application or its server can do.
type feature uint

const (
	canEcho        feature = 1 << iota // /echo returns the request body
	canChunkedBody                     // ... sent in chunks too
	canBodyTrailer                     // ... with trailers after them
	canContinue                        // sends 100 Continue
	canPut                             // stores PUT /upload/X
	canChunk                           // /chunked/N
	canStream                          // /stream: 400 bytes within 750 ms
	canTrailer                         // /trailers
	canKeep                            // keeps connections open
	canPipeline                        // answers pipelined requests
	canSpeak11                         // answers in HTTP/1.1
	canWebDAV                          // answers PROPFIND by the same routes or an error status
)

const canAll11 = canKeep | canPipeline | canSpeak11 | canContinue | canWebDAV

// appsEnv is the environment variable that restricts apps.
const appsEnv = "TRACER_TEST_APPS"

// app says how to start a server under test.
type app struct {
	name    string
	feature feature
	start   func(t *testing.T, name string, port int) *server
}

// apps returns the servers under test: all, or those that appsEnv names.
func apps() []app {
	all := []app{
		{"go", canAll11 | canEcho | canChunkedBody | canBodyTrailer | canChunk | canStream | canTrailer, startGo},
		{"nginx", canAll11 | canPut | canChunk, startNginx},
		{"apache", canAll11 | canEcho | canChunkedBody | canBodyTrailer | canChunk | canStream, startApache},
		{"node", canAll11 | canEcho | canChunkedBody | canBodyTrailer | canChunk | canStream | canTrailer, startNode},
		{"python", canAll11 | canEcho | canChunk | canStream, startPython("1.1", "thread")},
		{"python10", canEcho | canChunk | canStream, startPython("1.0", "thread")},
		{"gunicorn", canAll11&^canPipeline | canEcho | canChunkedBody | canBodyTrailer | canChunk | canStream, startGunicorn},
		{"java", canAll11&^canPipeline | canEcho | canChunkedBody | canChunk | canStream, startJava},
	}
	names := os.Getenv(appsEnv)
	if names == "" {
		return all
	}
	wanted := strings.Split(names, ",")
	return slices.DeleteFunc(all, func(a app) bool { return !slices.Contains(wanted, a.name) })
}

// run starts cmd as a server that listens on port of 127.0.0.1.
func run(t *testing.T, name string, port int, cmd *exec.Cmd) *server {
	t.Helper()
	p := suite.Launch(t, name, cmd)
	suite.WaitListening(t, p, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	return &server{Process: p, name: name, port: port}
}

// single marks s as a server of one process.
func (s *server) single() *server {
	s.pids = []int{s.PID()}
	return s
}

func startGo(t *testing.T, name string, port int) *server {
	t.Helper()
	return run(t, name, port, exec.Command(suite.Program("webserver"), fmt.Sprintf("127.0.0.1:%d", port))).single()
}

func startNode(t *testing.T, name string, port int) *server {
	t.Helper()
	return run(t, name, port, exec.Command("/usr/bin/node", appFile(t, "server.js"), strconv.Itoa(port))).single()
}

func startPython(version, model string) func(*testing.T, string, int) *server {
	return func(t *testing.T, name string, port int) *server {
		t.Helper()
		s := run(t, name, port, exec.Command("/usr/bin/python3", "-B", appFile(t, "server.py"), strconv.Itoa(port), version, model))
		if model == "thread" {
			return s.single()
		}
		return s
	}
}

func startJava(t *testing.T, name string, port int) *server {
	t.Helper()
	return run(t, name, port, exec.Command("/usr/bin/java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", appFile(t, "Server.java"), strconv.Itoa(port))).single()
}

func startGunicorn(t *testing.T, name string, port int) *server {
	t.Helper()
	return run(t, name, port, gunicorn(t, fmt.Sprintf("127.0.0.1:%d", port)))
}

// gunicorn serves wsgi.py on bind with two worker processes of four threads.
func gunicorn(t *testing.T, bind string) *exec.Cmd {
	t.Helper()
	return exec.Command("/usr/bin/gunicorn", "--workers", "2", "--threads", "4", "--bind", bind,
		"--worker-tmp-dir", suite.WorkDir(t), "--chdir", filepath.Dir(appFile(t, "wsgi.py")), "wsgi:app")
}

func startRaw(t *testing.T, name, mode string, port int) *server {
	t.Helper()
	return run(t, name, port, exec.Command(suite.Program("rawserver"), mode, fmt.Sprintf("127.0.0.1:%d", port))).single()
}

func startNginx(t *testing.T, name string, port int) *server {
	t.Helper()
	return run(t, name, port, nginx(t, fmt.Sprintf("127.0.0.1:%d", port)))
}

// nginx prepares a configuration and files for an nginx that listens there.
func nginx(t *testing.T, listen string) *exec.Cmd {
	t.Helper()
	dir := suite.WorkDir(t)
	writeFiles(t, filepath.Join(dir, "files"))
	conf := render(t, "nginx.conf.tmpl", dir, map[string]string{"Dir": dir, "Listen": listen})
	return exec.Command("/usr/sbin/nginx", "-e", "stderr", "-p", dir, "-c", conf)
}

func startApache(t *testing.T, name string, port int) *server {
	t.Helper()
	return run(t, name, port, apache(t, "event", port))
}

// apache prepares an Apache with the given multi-processing module.
func apache(t *testing.T, mpm string, port int) *exec.Cmd {
	t.Helper()
	dir := suite.WorkDir(t)
	writeFiles(t, filepath.Join(dir, "files"))
	scripts := filepath.Join(dir, "cgi")
	mkdir(t, scripts)
	const letters = `printf 'Content-Type: text/plain\n\n'; `
	writeScript(t, filepath.Join(scripts, "chunked"), letters+`head -c "${PATH_INFO#/}" "`+filepath.Join(dir, "files/size/1048576")+`"`)
	writeScript(t, filepath.Join(scripts, "stream"), letters+`for i in 1 2 3 4; do [ $i = 1 ] || sleep 0.25; head -c 100 "`+filepath.Join(dir, "files/size/1048576")+`"; done`)
	conf := render(t, "apache.conf.tmpl", dir, map[string]string{"Dir": dir, "Listen": fmt.Sprintf("127.0.0.1:%d", port), "MPM": mpm})
	return exec.Command("/usr/sbin/apache2", "-DFOREGROUND", "-f", conf)
}

// fileTime is the modification time of every served file.
var fileTime = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

// writeFiles makes the static equivalent of the applications' routes.
func writeFiles(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{"size", "chunked", "upload"} {
		mkdir(t, filepath.Join(dir, d))
	}
	for _, n := range []int{1000, 5000, 1 << 20} {
		writeFile(t, filepath.Join(dir, "size", strconv.Itoa(n)), pattern(n))
	}
	writeFile(t, filepath.Join(dir, "chunked", "5000"), pattern(5000))
	writeFile(t, filepath.Join(dir, "ok"), "ok\n")
	writeFile(t, filepath.Join(dir, "notmodified"), "old\n")
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, fileTime, fileTime); err != nil {
		t.Fatal(err)
	}
}

func writeScript(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func appFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "apps", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// render fills a configuration template and returns the path of the result.
func render(t *testing.T, name, dir string, values any) string {
	t.Helper()
	tmpl, err := template.ParseFiles(appFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "server.conf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := tmpl.Execute(f, values); err != nil {
		t.Fatal(err)
	}
	return path
}

// copyProgram copies an executable to dir, so that --exe can select this copy
// and nothing else on the machine.
func copyProgram(t *testing.T, path, dir string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(target, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return target
}
