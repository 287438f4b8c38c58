// SPDX-License-Identifier: Apache-2.0

//go:build integration

package harm

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/rig"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// How long things may take, on a guest that is emulated, too.
const (
	readyLimit = 5 * time.Minute
	goneLimit  = 20 * time.Second // until the kernel has freed a dead agent's objects
)

// TestHarm lets agents come and go beside busy applications. HARM_PERIOD is how
// long each lives.
func TestHarm(t *testing.T) {
	shared := t.TempDir()
	binary := agentBinary(t, shared)
	backends, err := rig.Backends(binary)
	if err != nil {
		t.Fatal(err)
	}
	works := 0
	for _, b := range backends {
		if b.Works {
			works++
		}
		t.Run(b.Name, func(t *testing.T) {
			if !b.Works {
				t.Skipf("this kernel does not allow it: %s", b.Reason)
			}
			newBench(t, binary, b.Name).run(t)
		})
	}
	if works == 0 {
		t.Errorf("no backend works here, so nothing is proved: %+v", backends)
	}
}

// bench is the applications of one backend's test, and what watches them.
type bench struct {
	dir, binary, args string
	servers           []*server
	client            *rig.Process
	report            chan string // the client's lines
	sink              *otlptest.Sink
	log               *rig.KernelLog
	pinned            map[string]bool
	loaded            rig.Objects // before the first agent
	agents            int
}

// newBench starts the applications and takes their references, without an agent.
func newBench(t *testing.T, binary, backend string) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), binary: binary, pinned: pinned(t), report: make(chan string, 8)}
	b.servers = startServers(t, b.dir)
	program := copySelf(t, b.dir, "harm-client")
	var ports, targets []string
	for _, s := range b.servers {
		ports = append(ports, fmt.Sprint(s.port))
		targets = append(targets, s.targets...)
	}
	b.args = fmt.Sprintf("--backend %s --port %s --exe %s", backend, strings.Join(ports, ","), program)
	var err error
	if b.sink, err = otlptest.New(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.sink.Close)
	if b.loaded, err = rig.LoadedObjects(); err != nil {
		t.Fatal(err)
	}
	if b.log, err = rig.OpenKernelLog(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.log.Close() })
	b.client, err = rig.Start(b.dir, "client", fmt.Sprintf("env %s=client %s=%s %s %s", roleVariable, paceVariable, duration(t, paceVariable, 5*time.Millisecond), program, strings.Join(targets, " ")), nil,
		func(line string) { b.report <- line })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.client.Stop() })
	if line := b.clientLine(t, 2*time.Minute); line != clientReady {
		t.Fatalf("the client said %q\n%s", line, logOf(b.dir, "client"))
	}
	return b
}

func (b *bench) clientLine(t *testing.T, limit time.Duration) string {
	t.Helper()
	select {
	case line := <-b.report:
		return line
	case <-time.After(limit):
		t.Fatalf("the client says nothing\n%s", logOf(b.dir, "client"))
		return ""
	}
}

// run lets agents live and die in every way until the time is over.
func (b *bench) run(t *testing.T) {
	ways := []struct {
		name string
		live func(*testing.T, time.Duration)
	}{
		{"killed", b.killed}, {"told to stop", b.stopped}, {"killed while it starts", b.stillborn}, {"two at once", b.twins},
	}
	end := time.Now().Add(duration(t, "HARM_TIME", 10*time.Second))
	period := duration(t, "HARM_PERIOD", time.Second)
	for i := 0; i < len(ways) || time.Now().Before(end); i++ {
		way := ways[i%len(ways)]
		way.live(t, period)
		if t.Failed() {
			t.Fatalf("agent number %d, %s", b.agents, way.name)
		}
	}
	b.verify(t)
}

// start runs an agent.
func (b *bench) start(t *testing.T) *rig.Agent {
	t.Helper()
	b.agents++
	a, err := rig.StartAgent(b.dir, fmt.Sprintf("agent-%d", b.agents), b.binary, b.args, "",
		[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + b.sink.Endpoint(otlptest.GRPC), "OTEL_EXPORTER_OTLP_PROTOCOL=" + otlptest.GRPC})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Kill)
	return a
}

// watch waits until a captures and has told of both sides, then for the period.
func (b *bench) watch(t *testing.T, a *rig.Agent, period time.Duration) {
	t.Helper()
	if err := a.AwaitReady(readyLimit); err != nil {
		t.Fatalf("%v\n%s", err, logOf(b.dir, a.Label))
	}
	b.sink.Reset()
	over := time.After(period)
	_, err := b.sink.WaitUntil(func(spans []otlptest.Span) bool {
		kinds := map[otlptest.Kind]bool{}
		for i := range spans {
			kinds[spans[i].Kind] = true
		}
		return kinds[otlptest.Server] && kinds[otlptest.Client]
	}, time.Now().Add(readyLimit))
	if err != nil {
		t.Fatalf("an agent that traces nothing cannot harm: %v\n%s", err, logOf(b.dir, a.Label))
	}
	<-over
	if !a.Running() {
		t.Fatalf("%v\n%s", a.Outcome(), logOf(b.dir, a.Label))
	}
}

func (b *bench) killed(t *testing.T, period time.Duration) {
	a := b.start(t)
	b.watch(t, a, period)
	b.kill(t, a)
}

func (b *bench) stopped(t *testing.T, period time.Duration) {
	a := b.start(t)
	b.watch(t, a, period)
	held := rig.HeldObjects(a.Group())
	if a.Stop(); a.Outcome() != nil {
		t.Errorf("after SIGTERM: %v\n%s", a.Outcome(), logOf(b.dir, a.Label))
	}
	b.requireGone(t, held)
}

// stillborn kills an agent at any moment of its start.
func (b *bench) stillborn(t *testing.T, _ time.Duration) {
	a := b.start(t)
	<-time.After(rand.N(400 * time.Millisecond))
	b.kill(t, a)
}

// twins has two agents watch the same processes; then one dies, then the other.
func (b *bench) twins(t *testing.T, period time.Duration) {
	first, second := b.start(t), b.start(t)
	b.watch(t, first, period/2)
	b.watch(t, second, period/2)
	b.kill(t, first)
	b.watch(t, second, period/2)
	b.kill(t, second)
}

// kill ends an agent by SIGKILL; nothing of it may stay in the kernel.
func (b *bench) kill(t *testing.T, a *rig.Agent) {
	t.Helper()
	held := rig.HeldObjects(a.Group())
	a.Kill()
	b.requireGone(t, held)
}

func (b *bench) requireGone(t *testing.T, held rig.Objects) {
	t.Helper()
	var left rig.Objects
	suite.Poll(t, goneLimit, "the kernel frees what a dead agent held", func() bool {
		loaded, err := rig.LoadedObjects()
		if err != nil {
			t.Fatal(err)
		}
		left = loaded.And(held)
		return left.Len() == 0
	})
}

// verify ends the applications and looks at what they and the kernel noticed.
func (b *bench) verify(t *testing.T) {
	t.Helper()
	b.client.Signal(syscall.SIGTERM)
	var total tally
	if line := b.clientLine(t, 2*time.Minute); json.Unmarshal([]byte(line), &total) != nil {
		t.Fatalf("the client ended with %q\n%s", line, logOf(b.dir, "client"))
	}
	t.Logf("%d agents; %d steps on %d connections, %d bytes compared", b.agents, total.Steps, total.Connections, total.Bytes)
	if total.Bad != 0 || total.Steps < 100 {
		t.Errorf("%d errors or differences in %d steps:\n  %s", total.Bad, total.Steps, strings.Join(total.Problems, "\n  "))
	}
	<-b.client.Ended()
	if err := b.client.Outcome(); err != nil {
		t.Error(err)
	}
	for _, s := range b.servers {
		if !s.Running() {
			t.Errorf("a server ended: %v\n%s", s.Outcome(), logOf(b.dir, s.Label))
		}
		if text := logOf(b.dir, s.Label); strings.TrimSpace(text) != "" {
			t.Errorf("%s complained:\n%s", s.Label, text)
		}
	}
	if messages, err := b.log.Trouble(); err != nil || len(messages) > 0 {
		t.Errorf("the kernel's log: %v\n  %s", err, strings.Join(messages, "\n  "))
	}
	b.requireNothingNew(t)
	for path := range pinned(t) {
		if !b.pinned[path] {
			t.Errorf("pinned and left behind: %s", path)
		}
	}
}

// requireNothingNew looks at all objects of the kernel, also at those that no file
// descriptor holds. That is of use only where nobody else loads any.
func (b *bench) requireNothingNew(t *testing.T) {
	t.Helper()
	if os.Getenv("HARM_ALONE") == "" {
		return
	}
	var now rig.Objects
	suite.Poll(t, goneLimit, "no object is there that was not before", func() bool {
		var err error
		if now, err = rig.LoadedObjects(); err != nil {
			t.Fatal(err)
		}
		return now.Len() == now.And(b.loaded).Len()
	})
}

// pinned lists what is in the BPF file system.
func pinned(t *testing.T) map[string]bool {
	t.Helper()
	const mount = "/sys/fs/bpf"
	found := map[string]bool{}
	err := filepath.WalkDir(mount, func(path string, _ fs.DirEntry, err error) error {
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		found[path] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
