// SPDX-License-Identifier: Apache-2.0

//go:build links || integration

package links

import (
	"cmp"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// withLeaves gives cmd the leaves in its environment.
func (s *site) withLeaves(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), "LEAVES="+strings.Join(s.leaves, ","))
	return cmd
}

func (s *site) port(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	return port
}

// python runs a script in Debian's Python, or in that of TRACER_LINKS_PYTHON.
func python(script string) func(*testing.T, *site) *suite.Process {
	return func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		path := cmp.Or(os.Getenv("TRACER_LINKS_PYTHON"), "/usr/bin/python3")
		return s.run(t, script, s.withLeaves(exec.Command(path, "-B", file(t, "apps/"+script), s.port(t))))
	}
}

func gunicorn(args ...string) func(*testing.T, *site) *suite.Process {
	return func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		args := append(args, "--bind", s.addr, "--backlog", "256", "--worker-tmp-dir", s.dir, "--chdir", file(t, "apps"), "wsgi:app")
		cmd := s.withLeaves(exec.Command("/usr/bin/gunicorn", args...))
		cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1")
		return s.run(t, "gunicorn", cmd)
	}
}

func uvicorn(loop string) func(*testing.T, *site) *suite.Process {
	return func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		cmd := s.withLeaves(exec.Command("/usr/bin/python3", "-B", "-m", "uvicorn", "--app-dir", file(t, "apps"), "--port", s.port(t),
			"--loop", loop, "--http", "h11", "--log-level", "warning", "asgi:app"))
		return s.run(t, "uvicorn", cmd)
	}
}

func node(client string) func(*testing.T, *site) *suite.Process {
	return func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		return s.run(t, "node", exec.Command("/usr/bin/node", append([]string{file(t, "apps/server.js"), s.port(t), client}, s.leaves...)...))
	}
}

func java(threads, client string) func(*testing.T, *site) *suite.Process {
	return func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		if threads == "virtual" && !virtualThreads(t) {
			t.Skip("this JDK has no virtual threads: they came with Java 21")
		}
		args := []string{"-Xshare:auto", "-XX:TieredStopAtLevel=1", file(t, "apps/Server.java"), s.port(t), threads, client}
		return s.run(t, "java", exec.Command("/usr/bin/java", append(args, s.leaves...)...))
	}
}

// virtualThreads says whether the JDK has them, by its major version.
func virtualThreads(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("/usr/bin/java", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(out)) // openjdk 17.0.15 2025-04-15 ...
	if len(words) < 2 {
		t.Fatalf("java --version says %q", out)
	}
	major, err := strconv.Atoi(strings.SplitN(words[1], ".", 2)[0])
	if err != nil {
		t.Fatalf("java --version says %q", out)
	}
	return major >= 21
}

func puma(t *testing.T, s *site) *suite.Process {
	t.Helper()
	cmd := exec.Command("/usr/bin/puma", "--threads", "16:16", "--bind", "tcp://"+s.addr, "--environment", "production", file(t, "apps/config.ru"))
	cmd.Dir = s.dir
	return s.run(t, "puma", s.withLeaves(cmd))
}

func nginxProxy(t *testing.T, s *site) *suite.Process {
	t.Helper()
	return s.run(t, "nginx", exec.Command("/usr/sbin/nginx", "-e", "stderr", "-p", s.dir, "-c", s.render(t, "nginx-proxy.conf", nil)))
}

func haproxy(t *testing.T, s *site) *suite.Process {
	t.Helper()
	return s.run(t, "haproxy", exec.Command("/usr/sbin/haproxy", "-db", "-f", s.render(t, "haproxy.cfg", nil)))
}

// nginxFPM runs nginx and PHP-FPM, which listens on no port and is selected by
// the title that it gives itself.
func nginxFPM(t *testing.T, s *site) *suite.Process {
	t.Helper()
	copyFile(t, file(t, "apps/index.php"), filepath.Join(s.dir, "index.php"))
	conf := s.render(t, "fpm.conf", nil)
	s.cmdline = "php-fpm: * (" + conf + ")*"
	fpm := suite.Launch(t, "php-fpm", exec.Command("/usr/sbin/php-fpm8.2", "-n", "--allow-to-run-as-root", "--nodaemonize", "--fpm-config", conf))
	suite.WaitListening(t, fpm, "unix", filepath.Join(s.dir, "php.sock"))
	return s.run(t, "nginx", exec.Command("/usr/sbin/nginx", "-e", "stderr", "-p", s.dir, "-c", s.render(t, "nginx-fpm.conf", nil)))
}

func apachePHP(t *testing.T, s *site) *suite.Process {
	t.Helper()
	copyFile(t, file(t, "apps/index.php"), filepath.Join(s.dir, "index.php"))
	return s.apache(t, true)
}

func apacheProxy(t *testing.T, s *site) *suite.Process {
	t.Helper()
	return s.apache(t, false)
}

func (s *site) apache(t *testing.T, php bool) *suite.Process {
	t.Helper()
	conf := s.render(t, "apache.conf", map[string]any{"PHP": php})
	return s.run(t, "apache", s.withLeaves(exec.Command("/usr/sbin/apache2", "-DFOREGROUND", "-f", conf)))
}

// render fills a configuration template and returns the path of the result.
func (s *site) render(t *testing.T, name string, more map[string]any) string {
	t.Helper()
	tmpl, err := template.ParseFiles(file(t, "apps/"+name+".tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"Dir": s.dir, "Listen": s.addr, "Leaves": s.leaves, "LeafList": strings.Join(s.leaves, ",")}
	for k, v := range more {
		values[k] = v
	}
	path := filepath.Join(s.dir, name)
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

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
