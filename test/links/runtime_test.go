// SPDX-License-Identifier: Apache-2.0

//go:build links || integration

package links

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// kind says what can be expected of a runtime.
type kind int

const (
	exact kind = iota // thread per request, or goroutines: every call can be linked
	loop              // event loop, or calls handed to a pool: certain alone, else what the evidence allows
	trap              // nothing can be known: only the precision counts
)

// bars are those of the issue that asked for linking.
func (k kind) bars(concurrency int) Bars {
	b := Bars{Precision: 0.999, ExchangeRate: 0.999}
	switch {
	case k == trap:
	case concurrency == 1:
		b.CallRecall = 1
	case k == exact:
		b.CallRecall = 0.999
	}
	return b
}

// subject is a service under test.
type subject struct {
	name  string
	kind  kind
	shape Shape
	mute  bool // its answer does not tell the calls
	small bool // part of the run with the tag integration
	start func(*testing.T, *site) *suite.Process
}

// site is where a runtime runs.
type site struct {
	addr    string // to listen on
	leaves  []string
	block   *suite.Ports
	dir     string // for files, readable by everybody
	cmdline string // selects what listens on no port, if not empty
	env     []string
}

const pause = 4 * time.Millisecond

func runtimes() []subject {
	all := goRuntimes()
	all = append(all, threadRuntimes()...)
	all = append(all, loopRuntimes()...)
	return append(all, trapRuntimes()...)
}

func threadRuntimes() []subject {
	seq := Work(pause, "seq")
	return []subject{
		{name: "python-threads", kind: exact, shape: seq, start: python("threads.py"), small: true},
		{name: "python-pool", kind: loop, shape: Work(pause, "par"), start: python("threads.py")},
		{name: "gunicorn-sync", kind: exact, shape: seq, start: gunicorn("--workers", "8", "--worker-class", "sync")},
		{name: "gunicorn-gthread", kind: exact, shape: seq, start: gunicorn("--workers", "2", "--threads", "32", "--worker-class", "gthread")},
		{name: "java-threads", kind: exact, shape: seq, start: java("threads", "connection")},
		{name: "java-httpclient", kind: loop, shape: Work(pause, "seq", "par"), start: java("threads", "client")},
		{name: "java-virtual", kind: exact, shape: seq, start: java("virtual", "connection")},
		{name: "ruby-puma", kind: exact, shape: seq, start: puma},
		{name: "apache-prefork-php", kind: exact, shape: seq, start: apachePHP},
		{name: "apache-prefork-proxy", kind: exact, shape: Forward(2*pause, false), start: apacheProxy},
		{name: "nginx-php-fpm", kind: exact, shape: seq, start: nginxFPM},
	}
}

func loopRuntimes() []subject {
	both := Work(pause, "seq", "par")
	return []subject{
		{name: "asyncio", kind: exact, shape: Work(pause, "seq", "par", "tasks", "limits"), start: python("loop.py"), small: true},
		{name: "uvicorn-httpx", kind: exact, shape: both, start: uvicorn("asyncio")},
		{name: "uvicorn-tasks", kind: exact, shape: Work(pause, "tasks", "limits"), start: uvicorn("asyncio")},
		{name: "uvicorn-groups", kind: loop, shape: Work(pause, "group"), start: uvicorn("asyncio")},
		{name: "uvicorn-handover", kind: loop, shape: Work(pause, "handover"), start: uvicorn("asyncio")},
		{name: "uvicorn-uvloop", kind: loop, shape: both, start: uvicorn("uvloop")},
		{name: "aiohttp", kind: exact, shape: both, start: python("aio.py")},
		{name: "aiohttp-tasks", kind: exact, shape: Work(pause, "tasks", "limits"), start: python("aio.py")},
		{name: "node-http", kind: loop, shape: both, start: node("agent"), small: true},
		{name: "node-fetch", kind: loop, shape: both, start: node("fetch")},
		{name: "nginx-proxy", kind: loop, shape: Forward(2*pause, false), start: nginxProxy, small: true},
		{name: "nginx-proxy-distinct", kind: loop, shape: Forward(2*pause, true), start: nginxProxy},
		{name: "haproxy", kind: loop, shape: Forward(2*pause, false), start: haproxy},
		{name: "haproxy-distinct", kind: loop, shape: Forward(2*pause, true), start: haproxy},
	}
}

// trapRuntimes make calls for no request, or for one that has been answered:
// what seems to fit a request does not.
func trapRuntimes() []subject {
	seq, both, detached := Work(pause, "seq"), Work(pause, "seq", "par"), Work(pause, "detached")
	goDefault := goService(goBuild{cgo: "0"})
	return []subject{
		{name: "go-shared-workers", kind: trap, shape: Work(pause, "workers"), start: goDefault, small: true},
		{name: "go-detached", kind: trap, shape: detached, mute: true, start: goDefault, small: true},
		{name: "go-background", kind: exact, shape: both, start: background(goDefault)},
		{name: "python-detached", kind: trap, shape: detached, mute: true, start: python("threads.py")},
		{name: "python-background", kind: exact, shape: seq, start: background(python("threads.py"))},
		{name: "aiohttp-detached", kind: trap, shape: detached, mute: true, start: python("aio.py")},
		{name: "aiohttp-background", kind: exact, shape: both, start: background(python("aio.py"))},
		{name: "node-detached", kind: trap, shape: detached, mute: true, start: node("agent")},
		{name: "node-background", kind: trap, shape: seq, start: background(node("agent"))},
	}
}

// background makes a service call out on its own, too.
func background(start func(*testing.T, *site) *suite.Process) func(*testing.T, *site) *suite.Process {
	return func(t *testing.T, s *site) *suite.Process {
		t.Helper()
		s.env = append(s.env, "BACKGROUND=1")
		return start(t, s)
	}
}

// run starts cmd and waits until it listens.
func (s *site) run(t *testing.T, name string, cmd *exec.Cmd) *suite.Process {
	t.Helper()
	cmd.Env = append(cmd.Environ(), s.env...)
	p := suite.Launch(t, name, cmd)
	suite.WaitListening(t, p, "tcp", s.addr)
	return p
}

// file returns the absolute path of a service's source.
func file(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("services", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *site) args(first ...string) []string { return append(append(first, s.addr), s.leaves...) }

// world is a runtime next to its leaves, traced.
type world struct {
	*site
	agent   *agent
	service *suite.Process
}

// newSite starts leaves and chooses where a service shall listen.
func newSite(t *testing.T) *site {
	t.Helper()
	block := suite.NewPorts(t)
	s := &site{block: block, dir: suite.WorkDir(t), leaves: []string{block.Addr(t), block.Addr(t)}, addr: block.Addr(t)}
	leaf := suite.Launch(t, "leaf", exec.Command(suite.Program("leaf"), s.leaves...))
	for _, addr := range s.leaves {
		suite.WaitListening(t, leaf, "tcp", addr)
	}
	return s
}

// newWorld starts everything, the agent last: what it traces runs already.
func newWorld(t *testing.T, r *subject, o agentOptions) *world {
	t.Helper()
	w := &world{site: newSite(t)}
	w.service = r.start(t, w.site)
	o.block, o.cmdline = w.block, w.cmdline
	w.agent = startAgent(t, newSink(t), o)
	w.measure(t, Plan("warm", 10, 5, !r.mute, r.shape), 1)
	return w
}

// spanLimit is how long after the traffic the last span may arrive.
const spanLimit = 10 * time.Second

// measure drives a plan, waits for its spans and judges them.
func (w *world) measure(t *testing.T, plan []Request, connections int) *Score {
	t.Helper()
	driver := &Driver{Addr: w.addr, Connections: connections}
	if _, err := driver.Send(t.Context(), plan); err != nil {
		t.Fatalf("the traffic failed: %.2000s", err)
	}
	return w.judge(plan)
}

// judge waits for the spans of a plan, which may be fewer than they should be.
func (w *world) judge(plan []Request) *Score {
	return Judge(plan, await(w.agent.sink, plan))
}
