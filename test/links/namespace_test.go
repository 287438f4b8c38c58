// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// namespace is a network namespace with a loopback interface, for as long as
// the process that holds it lives.
type namespace struct{ holder *suite.Process }

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n := &namespace{suite.Launch(t, "namespace", exec.Command("/usr/bin/unshare", "--net", "/bin/sh", "-c", "ip link set lo up && echo up && exec sleep infinity"))}
	suite.Poll(t, spanLimit, "the namespace is up", func() bool { return n.holder.Out.String() == "up\n" || !n.holder.Alive() })
	if !n.holder.Alive() {
		t.Fatalf("make a network namespace: %s", n.holder.Out)
	}
	return n
}

func (n *namespace) path() string {
	return filepath.Join("/proc", strconv.Itoa(n.holder.PID()), "ns/net")
}

// command is a command that runs inside.
func (n *namespace) command(name string, args ...string) *exec.Cmd {
	return exec.Command("/usr/bin/nsenter", append([]string{"--net=" + n.path(), name}, args...)...)
}

// dial connects from inside. Its thread goes there and comes back: a thread must
// not end, since the programs that it started would be killed with it (Pdeathsig).
func (n *namespace) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer here.Close()
	if err := enter(n.path()); err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, fmt.Errorf("leave the namespace: %w", back) // the thread stays locked: nobody else may use it
	}
	runtime.UnlockOSThread()
	return conn, err
}

func enter(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the namespace: %w", err)
	}
	return nil
}

// TestNamespaces runs the same service twice, in two network namespaces, with
// the same addresses and the same few client ports: every connection of one has
// a twin in the other.
func TestNamespaces(t *testing.T) {
	block := suite.NewPorts(t)
	dir := suite.WorkDir(t)
	build := goBuild{cgo: "0"}.build(t, dir)
	leaves, addr := []string{block.Addr(t), block.Addr(t)}, block.Addr(t)
	local := fmt.Sprintf("LOCAL_PORT=%d", block.Reserve(t, 8))
	shape := Work(pause, "ports")
	var drivers []*Driver
	for range 2 {
		n := newNamespace(t)
		driver := &Driver{Addr: addr, Connections: 8, Dial: n.dial}
		n.start(t, n.command(suite.Program("leaf"), leaves...), leaves...)
		cmd := n.command(build, append([]string{addr}, leaves...)...)
		cmd.Env = append(os.Environ(), local)
		n.start(t, cmd, addr)
		drivers = append(drivers, driver)
	}
	sink := newSink(t)
	startAgent(t, sink, agentOptions{block: block})

	var all []Request
	var errs [2]error
	var sending sync.WaitGroup
	for i, d := range drivers {
		settle(t, sink, d, shape)
		plan := Plan(fmt.Sprintf("ns%d", i), 600, 5, true, shape)
		all = append(all, plan...)
		sending.Go(func() { _, errs[i] = d.Send(t.Context(), plan) })
	}
	sending.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("the traffic failed: %.2000s", err)
		}
	}
	report(t, &Row{Runtime: "namespaces", Concurrency: 8, Score: *Judge(all, await(sink, all)), Bars: exact.bars(8)})
}

// settle sends requests until all of a plan's calls are linked: on a busy machine
// the agent takes a while to look at a program.
func settle(t *testing.T, sink *otlptest.Sink, d *Driver, shape Shape) {
	t.Helper()
	round := 0
	suite.Poll(t, 30*time.Second, "calls are linked", func() bool {
		round++
		plan := Plan(fmt.Sprintf("%p-warm%d", d, round), 20, 5, true, shape)
		if _, err := d.Send(t.Context(), plan); err != nil {
			t.Fatalf("the traffic failed: %.2000s", err)
		}
		return Judge(plan, await(sink, plan)).Calls.Recall() == 1
	})
}

// start launches a command and waits until it listens on addrs inside.
func (n *namespace) start(t *testing.T, cmd *exec.Cmd, addrs ...string) {
	t.Helper()
	p := suite.Launch(t, cmd.Args[2], cmd)
	for _, addr := range addrs {
		suite.Poll(t, spanLimit, p.Name+" listens on "+addr, func() bool {
			if !p.Alive() {
				t.Fatalf("%s ended: %v\n%s", p.Name, p.Err(), suite.Tail(p.Out.String(), 4000))
			}
			conn, err := n.dial(t.Context(), "tcp", addr)
			if err != nil {
				return false
			}
			conn.Close()
			return true
		})
	}
}

// TestUnixSockets calls leaves on unix sockets.
func TestUnixSockets(t *testing.T) {
	s := newSite(t)
	paths := []string{filepath.Join(s.dir, "leaf-a"), filepath.Join(s.dir, "leaf-b")}
	// It listens on a port of the block as well, which selects it.
	leaf := suite.Launch(t, "leaf", exec.Command(suite.Program("leaf"), append([]string{s.block.Addr(t)}, paths...)...))
	for _, path := range paths {
		suite.WaitListening(t, leaf, "unix", path)
	}
	s.leaves = paths
	r := goService(goBuild{cgo: "0"})
	r(t, s)
	w := &world{site: s, agent: startAgent(t, newSink(t), agentOptions{block: s.block})}
	plan := Plan("unix", 600, 10, true, Work(pause, "seq", "par"))
	report(t, &Row{Runtime: "unix", Concurrency: 8, Score: *w.measure(t, plan, 8), Bars: exact.bars(8)})
}
