// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/discovery"
)

// Reload is where a running agent gets its configuration anew.
type Reload struct {
	File string                        // looked at for changes; "": none
	Load func() (config.Config, error) // nil: the configuration is never read again
}

// reloads counts what became of configurations that were read again.
type reloads struct {
	applied, rejected atomic.Uint64
	bad               atomic.Bool // the last one was rejected
}

// lookEvery is how often the file is looked at. It is read when it was the same
// twice after a change: whoever writes it may not be done.
const lookEvery = time.Second

// fileState tells one state of a file from another, through links: a ConfigMap
// is changed by exchanging a link to its directory.
type fileState struct {
	info os.FileInfo // nil: it cannot be looked at
}

func stateOf(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{}
	}
	return fileState{info}
}

func (s fileState) same(t fileState) bool {
	if s.info == nil || t.info == nil {
		return s.info == t.info
	}
	return os.SameFile(s.info, t.info) && s.info.ModTime().Equal(t.info.ModTime()) && s.info.Size() == t.info.Size()
}

// followConfig reads the configuration again on SIGHUP and when the file has
// changed, until ctx is done.
func (a *Agent) followConfig(ctx context.Context) error {
	if a.reload.Load == nil {
		return nil
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	read, seen := a.configState, a.configState
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			read = stateOf(a.reload.File)
			a.loadAgain()
		case <-ticker.C:
			now := stateOf(a.reload.File)
			if settled := now.same(seen); settled && !now.same(read) && now.info != nil {
				read = now
				a.loadAgain()
			}
			seen = now
		}
	}
}

func (a *Agent) loadAgain() {
	err := a.replaceConfig()
	a.reloads.bad.Store(err != nil)
	if err == nil {
		a.reloads.applied.Add(1)
		return
	}
	a.reloads.rejected.Add(1)
	var problems config.Problems
	if !errors.As(err, &problems) {
		a.log.Error("new configuration rejected, the old one stays in force", "error", err)
		return
	}
	for _, p := range problems {
		a.log.Error("new configuration rejected, the old one stays in force", "problem", p.String())
	}
}

// replaceConfig puts a new selection in force. What cannot be changed while
// running stays as it was.
func (a *Agent) replaceConfig() error {
	cfg, err := a.reload.Load()
	if err != nil {
		return err
	}
	if len(cfg.Instrument) == 0 {
		return errors.New("it selects nothing")
	}
	rules := rulesOf(cfg)
	matcher, err := discovery.Compile(rules)
	if err != nil {
		return fmt.Errorf("compile selection: %w", err)
	}
	if rules.UsesPods() && a.cluster == nil {
		return errors.New("it selects by what the Kubernetes API tells, which was not asked for at the start: restart the agent")
	}
	if n := ports(rules); n > a.portRoom {
		return fmt.Errorf("its rules name %d ports, and there is room for %d: restart the agent", n, a.portRoom)
	}
	if kept := unchangeable(a.cfg, cfg); len(kept) > 0 {
		a.log.Warn("part of the new configuration needs a restart of the agent", "keys", strings.Join(kept, " "))
	}
	if err := a.discovery.Apply(matcher); err != nil {
		return err
	}
	a.cfg.Instrument, a.cfg.Exclude = cfg.Instrument, cfg.Exclude
	s := a.discovery.Stats()
	a.log.Info("new configuration in force", "processes", s.Selected, "cgroups", s.Cgroups)
	return nil
}

// unchangeable lists the sections that differ and are read at the start only.
func unchangeable(old, cfg config.Config) []string {
	var keys []string
	was, is := reflect.ValueOf(old), reflect.ValueOf(cfg)
	for i := range was.NumField() {
		key := was.Type().Field(i).Tag.Get("yaml")
		if key == "instrument" || key == "exclude" {
			continue
		}
		if !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			keys = append(keys, key)
		}
	}
	return keys
}
