// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// load asks a server without a pause, on one connection each time, until stop; it
// returns how often.
func load(t *testing.T, c *container, prefix string) (stop func() int) {
	t.Helper()
	var wg sync.WaitGroup
	done := make(chan struct{})
	n := 0
	wg.Go(func() {
		for ; ; n++ {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				get(t, fmt.Sprintf("%s%s%d", c.url, prefix, n))
			}
		}
	})
	return func() int { close(done); wg.Wait(); return n }
}

// mount writes a configuration as the kubelet mounts a ConfigMap: the file is a
// link into a directory of a time, through a link that is exchanged.
func mount(t *testing.T, dir, stamp, text string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, stamp), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, stamp, "config.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(stamp, filepath.Join(dir, "..data_tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..data/config.yaml", filepath.Join(dir, "config.yaml")); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

// A ConfigMap that changes is put in force while every request of what stays
// selected is traced; one that is wrong is not.
func TestReload(t *testing.T) {
	c := newControlPlane(t)
	for _, name := range []string{"stays", "goes", "comes"} {
		c.namespace(name, nil)
	}
	stays := c.pod("stays", "a", podOptions{}).serve(t, "127.0.77.1")
	goes := c.pod("goes", "b", podOptions{}).serve(t, "127.0.77.2")
	comes := c.pod("comes", "c", podOptions{}).serve(t, "127.0.77.3")
	config := func(names string) string { return c.agentConfig("instrument: [{namespaces: [" + names + "]}]\n") }

	dir := t.TempDir()
	mount(t, dir, "..1", config("stays, goes"))
	sink := newSink(t)
	a := &agent{sink: sink, listen: "127.0.0.1:" + freePort(t), config: filepath.Join(dir, "config.yaml")}
	a.run(t).ready(t)
	a.traced(t, goes, 5*time.Second)
	stop := load(t, stays, "/stays-")
	applied := func(n int) {
		t.Helper()
		suite.Poll(t, 10*time.Second, "the new configuration is in force", func() bool {
			return a.metric(t, `config_reloads_total{result="applied"}`) == float64(n)
		})
	}

	mount(t, dir, "..2", config("stays, comes"))
	applied(1)
	a.traced(t, comes, 3*time.Second)
	get(t, goes.url+"/gone")

	mount(t, dir, "..3", config("stays, comes")+"exclud: []\n")
	suite.Poll(t, 10*time.Second, "the bad configuration is rejected", func() bool {
		return a.metric(t, `config_reloads_total{result="rejected"}`) == 1 && a.metric(t, "config_rejected") == 1
	})
	if !strings.Contains(a.Out.String(), "exclud: unknown key; did you mean exclude?") {
		t.Error("the log does not say what is wrong with the configuration")
	}
	a.traced(t, comes, time.Second)

	mount(t, dir, "..4", "instrument: []\n")
	suite.Poll(t, 10*time.Second, "a configuration that selects nothing is rejected", func() bool {
		return a.metric(t, `config_reloads_total{result="rejected"}`) == 2
	})
	mount(t, dir, "..5", config("stays, comes"))
	applied(2)
	if err := a.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	applied(3)

	n := stop()
	a.flushed(t, stays)
	if len(a.spans("/gone")) > 0 {
		t.Error("there is a span of what is not selected any more")
	}
	missing := 0
	for i := range n {
		if len(a.spans(fmt.Sprintf("/stays-%d", i))) != 1 {
			missing++
		}
	}
	if n < 100 || missing > 0 {
		t.Errorf("of %d requests to what stays selected %d have no span", n, missing)
	}
	a.stop(t)
}
