// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Cgroup is a group of processes with limits of memory and processor time. With
// cgroup v1 it is one folder for each of the two controllers.
type Cgroup struct {
	memory, cpu string // folders; the same with cgroup v2
	unified     bool
}

// cpuPeriod is the kernel's default period of processor time, in microseconds.
const cpuPeriod = 100_000

// NewCgroup makes a group limited to memory bytes and to percent of one
// processor. The caller must Remove it.
func NewCgroup(name string, memory int64, percent int) (*Cgroup, error) {
	g, err := findControllers(name)
	if err != nil {
		return nil, err
	}
	quota := cpuPeriod * percent / 100
	settings := map[string]string{
		filepath.Join(g.memory, "memory.limit_in_bytes"): fmt.Sprint(memory),
		filepath.Join(g.cpu, "cpu.cfs_period_us"):        fmt.Sprint(cpuPeriod),
		filepath.Join(g.cpu, "cpu.cfs_quota_us"):         fmt.Sprint(quota),
	}
	if g.unified {
		settings = map[string]string{
			filepath.Join(g.memory, "memory.max"): fmt.Sprint(memory),
			filepath.Join(g.cpu, "cpu.max"):       fmt.Sprintf("%d %d", quota, cpuPeriod),
		}
	}
	err = errors.Join(os.Mkdir(g.memory, 0o755))
	if !g.unified {
		err = errors.Join(err, os.Mkdir(g.cpu, 0o755))
	}
	for file, value := range settings {
		err = errors.Join(err, os.WriteFile(file, []byte(value), 0o644))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a cgroup: %w", err), g.Remove())
	}
	return g, nil
}

// findControllers says where a group called name would be.
func findControllers(name string) (*Cgroup, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find cgroups: %w", err)
	}
	g := &Cgroup{}
	for line := range strings.Lines(string(mounts)) {
		mount, file, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(mount), strings.Fields(file)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		at := filepath.Join(fields[4], name)
		switch controllers, _ := os.ReadFile(filepath.Join(fields[4], "cgroup.controllers")); {
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",memory,"):
			g.memory = at
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",cpu,"):
			g.cpu = at
		case kind[0] == "cgroup2" && strings.Contains(string(controllers), "memory"):
			// For children of the root, which alone may also have processes of its own.
			if err := os.WriteFile(filepath.Join(fields[4], "cgroup.subtree_control"), []byte("+memory +cpu"), 0o644); err != nil {
				return nil, fmt.Errorf("enable cgroup controllers: %w", err)
			}
			return &Cgroup{memory: at, cpu: at, unified: true}, nil
		}
	}
	if g.memory == "" || g.cpu == "" {
		return nil, errors.New("no cgroup controllers for memory and processor time")
	}
	return g, nil
}

// Wrap is a format for StartAgent: the command line %s runs in the group.
func (g *Cgroup) Wrap() string {
	return fmt.Sprintf(`/bin/sh -c 'echo $$ >%s/cgroup.procs && echo $$ >%s/cgroup.procs && exec %%s'`, g.memory, g.cpu)
}

// Usage is the memory that the group uses at this moment, that of the kernel and
// of the page cache included, and how often it was held up for want of processor
// time; 0 for what the kernel does not tell.
func (g *Cgroup) Usage() (memory, throttled int64) {
	file := "memory.usage_in_bytes"
	if g.unified {
		file = "memory.current"
	}
	text, _ := os.ReadFile(filepath.Join(g.memory, file))
	memory, _ = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	text, _ = os.ReadFile(filepath.Join(g.cpu, "cpu.stat"))
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "nr_throttled %d", &throttled)
	}
	return memory, throttled
}

// Remove removes the group, whose processes must have ended: the kernel takes a
// moment to notice that.
func (g *Cgroup) Remove() error {
	var err error
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err = nil
		for _, dir := range []string{g.memory, g.cpu} {
			if e := os.Remove(dir); e != nil && !os.IsNotExist(e) {
				err = errors.Join(err, e)
			}
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
