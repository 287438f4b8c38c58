// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// selectionCase is one way to select a server by a configuration file. The
// server is started as the words of prefix say, its executable is dir/webserver.
type selectionCase struct {
	name   string
	config string // %s is the directory of the executable
	prefix []string
	traced bool
}

// selectionUser is a user id that nothing else on the machine runs as.
const selectionUser = "54321"

func selectionCases(group *cgroupDir) []selectionCase {
	asUser := []string{"/usr/bin/setpriv", "--reuid=" + selectionUser, "--regid=" + selectionUser, "--clear-groups"}
	list := []selectionCase{
		{"exe glob", `instrument: [{exe: ["%s/web*"]}]`, nil, true},
		{"exe glob of another directory", `instrument: [{exe: ["%s/*/webserver"]}]`, nil, false},
		{"cmdline", `instrument: [{cmdline: ["%s/webserver 127.0.0.1:*"]}]`, nil, true},
		{"cmdline of another", `instrument: [{cmdline: ["%s/webserver 127.0.0.2:*"]}]`, nil, false},
		{"user", `instrument: [{users: ["` + selectionUser + `"]}]`, asUser, true},
		{"another user", `instrument: [{exe: ["%s/webserver"], users: ["` + selectionUser + `"]}]`, nil, false},
		{"exe and user", `instrument: [{exe: ["%s/webserver"], users: ["` + selectionUser + `"]}]`, asUser, true},
		{"excluded by exe", "instrument: [{users: [\"" + selectionUser + "\"]}]\nexclude: [{exe: [\"%s/*\"]}]", asUser, false},
		{"excluded by cmdline", "instrument: [{exe: [\"%[1]s/*\"]}]\nexclude: [{cmdline: [\"%[1]s/* 127.*\"]}]", nil, false},
		{"excluded by user", "instrument: [{exe: [\"%s/*\"]}]\nexclude: [{users: [\"" + selectionUser + "\"]}]", asUser, false},
		{"program run by another", `instrument: [{exe: ["%s/webserver"]}]`, []string{"/bin/sh", "-c", `exec "$@"`, "sh"}, true},
	}
	if group != nil {
		list = append(list, group.cases()...)
	}
	return list
}

// TestSelection starts servers before and after the agent; a configuration file
// selects them by everything that it knows but ports and pids.
func TestSelection(t *testing.T) {
	group := newCgroup(t)
	block := suite.NewPorts(t)
	for _, sc := range selectionCases(group) {
		t.Run(sc.name, func(t *testing.T) {
			dir := suite.WorkDir(t)
			web := copyProgram(t, suite.Program("webserver"), dir)
			early := sc.start(t, web, block.Take(t))
			config := sc.config
			if strings.Contains(config, "%") {
				config = fmt.Sprintf(config, dir)
			}
			th := newTheme(t, agentOptions{config: config})
			var late *server
			th.agent.selecting(t, sc.judged(), func() { late = sc.start(t, web, block.Take(t)) })
			for _, s := range []*server{early, late} {
				th.send(t, s.name, func(c *tcase) { sc.visit(c, s) })
			}
			if !sc.traced {
				th.add(&expect{optional: true, label: "not traced"})
			}
			th.finish(t)
		})
	}
}

func (sc selectionCase) start(t *testing.T, web string, port int) *server {
	t.Helper()
	args := append(append([]string{}, sc.prefix...), web, fmt.Sprintf("127.0.0.1:%d", port))
	return run(t, fmt.Sprintf("server on %d", port), port, exec.Command(args[0], args[1:]...)).single()
}

// judged is how many processes the agent selects for a server of the case. Cgroups
// need no judgement: the kernel looks them up.
func (sc selectionCase) judged() int {
	if sc.traced && !strings.Contains(sc.config, "units:") && !strings.Contains(sc.config, "containers:") {
		return 1
	}
	return 0
}

// visit makes requests that are told iff the case is traced.
func (sc selectionCase) visit(c *tcase, s *server) {
	if sc.traced {
		keepAlive(c, s)
		return
	}
	conn := s.dial(c, "")
	for range 3 {
		r := &request{target: "/ok?unselected"}
		conn.write(c, r)
		conn.read(c, r)
	}
}

// cgroupDir is a cgroup that the test made in the version 2 hierarchy.
type cgroupDir struct {
	unit, container string // directories
	id              string // of the container
}

// newCgroup makes cgroups as systemd and a container runtime name them; nil
// where no version 2 hierarchy can be written.
func newCgroup(t *testing.T) *cgroupDir {
	t.Helper()
	mount := cgroupMount(t)
	if mount == "" {
		t.Log("selection by cgroup is not tested: no cgroup v2 hierarchy is mounted here")
		return nil
	}
	g := &cgroupDir{id: newID(32)}
	g.unit = filepath.Join(mount, "tracer-it-"+g.id[:8]+".service")
	g.container = filepath.Join(mount, "docker-"+g.id+".scope")
	for _, dir := range []string{g.unit, g.container} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Logf("selection by cgroup is not tested: %v", err)
			return nil
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil { // its processes have ended
				t.Errorf("remove the test's cgroup: %v", err)
			}
		})
	}
	return g
}

// cgroupMount is where the version 2 hierarchy is mounted, "" if it is not.
func cgroupMount(t *testing.T) string {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(table) {
		fields := strings.Fields(string(line))
		for i, f := range fields {
			if f == "-" && i+1 < len(fields) && fields[i+1] == "cgroup2" {
				return fields[4]
			}
		}
	}
	return ""
}

// cases select by unit and container; the processes enter their cgroup before
// they run the server.
func (g *cgroupDir) cases() []selectionCase {
	enter := func(dir string) []string {
		return []string{"/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, dir}
	}
	unit := strings.TrimSuffix(filepath.Base(g.unit), ".service")
	return []selectionCase{
		{"unit", `instrument: [{units: ["` + unit + `"]}]`, enter(g.unit), true},
		{"unit pattern", `instrument: [{units: ["tracer-it-*.service"]}]`, enter(g.unit), true},
		{"outside the unit", `instrument: [{units: ["` + unit + `"]}]`, nil, false},
		{"excluded by unit", "instrument: [{exe: [\"%s/*\"]}]\nexclude: [{units: [\"" + unit + "\"]}]", enter(g.unit), false},
		{"container", `instrument: [{containers: ["` + g.id[:12] + `"]}]`, enter(g.container), true},
		{"another container", `instrument: [{containers: ["` + newID(6) + `"]}]`, enter(g.container), false},
	}
}

// TestExecIsJudgedAgain: a process that executes another program while it
// keeps its sockets is judged by the new one, both ways.
func TestExecIsJudgedAgain(t *testing.T) {
	dir := suite.WorkDir(t)
	selected := copyProgram(t, "/usr/bin/python3", dir)
	script := appFile(t, "reexec.py")
	port := suite.NewPorts(t).Take(t)
	start := func(first string) *server {
		cmd := exec.Command(first, "-B", script, fmt.Sprint(port))
		cmd.Env = append(os.Environ(), "PYTHONHOME=/usr")
		return run(t, "reexec", port, cmd).single()
	}
	th := newTheme(t, agentOptions{args: []string{"--exe", selected}})
	// What a process did right before it executes another program may be read
	// after the agent has learnt of that; it is then counted as not selected.
	th.lossy = true
	th.agent.acquaint(t, selected, "-B")
	for _, first := range []string{selected, "/usr/bin/python3"} {
		s := start(first)
		traced := first == selected
		for i := range 6 {
			next := map[bool]string{true: "/usr/bin/python3", false: selected}[traced]
			th.send(t, fmt.Sprintf("%s program %d", filepath.Base(filepath.Dir(first)), i), func(c *tcase) {
				sc := selectionCase{traced: traced}
				sc.visitOnce(c, s, request{target: "/ok"})
				th.await(t)
				sc.visitOnce(c, s, request{target: "/exec" + next, adjust: func(e *expect) { e.optional = true }})
			})
			traced = !traced
		}
		s.Stop()
	}
	th.finish(t)
}

// visitOnce makes one request on a connection of its own.
func (sc selectionCase) visitOnce(c *tcase, s *server, r request) {
	conn := s.dial(c, "")
	defer conn.Close()
	if sc.traced {
		c.exchange(conn, &r)
		return
	}
	conn.write(c, &r)
	conn.read(c, &r)
}
