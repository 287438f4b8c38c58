// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/tracer-agent/tracer-agent/test/bench/load"
	"github.com/tracer-agent/tracer-agent/test/rig"
)

// statsFile makes the kernel count runs and run time of BPF programs.
const statsFile = "/proc/sys/kernel/bpf_stats_enabled"

// maxMaps is how many maps a report lists.
const maxMaps = 12

// Kernel is what the agent has in the kernel and how often it runs.
type Kernel struct {
	Programs        []Program // those that ran, most expensive first
	Loaded          int       // number of programs
	Types           map[string]int
	Maps            int
	MapBytes        int64 // memory charged for all maps
	LargestMaps     []Map
	RunsPerRequest  float64 // of all programs, client and bystanders included
	NanosPerRequest float64
	Foreign         int // programs of others; they may slow down "off" and "on" alike
}

// Program is one BPF program's share.
type Program struct {
	Name            string
	Type            string
	RunsPerRequest  float64
	NanosPerRequest float64
}

// Map is one BPF map.
type Map struct {
	Name  string
	Type  string
	Bytes int64
}

// programInfo and mapInfo are the parts of bpftool's JSON that count here.
type programInfo struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	RunTime int64  `json:"run_time_ns"`
	Runs    int64  `json:"run_cnt"`
	Maps    []int  `json:"map_ids"`
}

type mapInfo struct {
	ID    int    `json:"id"`
	Type  string `json:"type"`
	Name  string `json:"name"`
	Bytes int64  `json:"bytes_memlock"`
}

// census is what is loaded at one moment, by id.
type census struct {
	programs map[int]programInfo
	maps     map[int]mapInfo
}

func loaded() (census, error) {
	var programs []programInfo
	var maps []mapInfo
	if err := bpftool(&programs, "prog"); err != nil {
		return census{}, err
	}
	if err := bpftool(&maps, "map"); err != nil {
		return census{}, err
	}
	c := census{programs: map[int]programInfo{}, maps: map[int]mapInfo{}}
	for _, p := range programs {
		c.programs[p.ID] = p
	}
	for _, m := range maps {
		c.maps[m.ID] = m
	}
	return c, nil
}

func bpftool(into any, kind string) error {
	out, err := exec.Command("bpftool", "-j", kind, "show").Output()
	if err != nil {
		return fmt.Errorf("bpftool %s show: %w", kind, err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("output of bpftool %s show: %w", kind, err)
	}
	return nil
}

// programs counts the agent's program runs over one run of the load. Counting
// costs time itself, which is why the pairs are measured without it.
func (b *bench) programs(a *agent, before census) (*Kernel, error) {
	restore, err := enableStats()
	if err != nil {
		return nil, err
	}
	defer restore()
	b.run(b.Warm, a)
	first, err := loaded()
	if err != nil {
		return nil, err
	}
	seen := b.spans.Counts().Server
	result := load.Run(b.plan(b.Requests))
	second, err := loaded()
	if err != nil {
		return nil, err
	}
	b.drain(seen+result.OK, a)
	return newKernel(before, first, second, rig.HeldObjects(a.Group()).Programs, float64(max(result.OK, 1))), nil
}

func enableStats() (restore func(), err error) {
	old, err := os.ReadFile(statsFile)
	if err != nil {
		return nil, fmt.Errorf("program statistics: %w", err)
	}
	if err := os.WriteFile(statsFile, []byte("1"), 0o644); err != nil {
		return nil, fmt.Errorf("program statistics: %w", err)
	}
	return func() { _ = os.WriteFile(statsFile, bytes.TrimSpace(old), 0o644) }, nil
}

// newKernel compares the programs and maps before the agent's start with those
// before and after n requests. The agent's are those of mine (programs that it
// holds, by id); if it holds none, those that appeared since its start.
func newKernel(before, first, second census, mine map[int]bool, n float64) *Kernel {
	k := &Kernel{Types: map[string]int{}}
	maps := map[int]bool{}
	for id, p := range second.programs {
		_, old := before.programs[id]
		if old || len(mine) > 0 && !mine[id] {
			k.Foreign++
			continue
		}
		k.addProgram(p, first.programs[id], n)
		for _, m := range p.Maps {
			maps[m] = true
		}
	}
	for id := range maps {
		m := second.maps[id]
		k.Maps++
		k.MapBytes += m.Bytes
		k.LargestMaps = append(k.LargestMaps, Map{Name: m.Name, Type: m.Type, Bytes: m.Bytes})
	}
	slices.SortFunc(k.Programs, func(x, y Program) int { return cmp.Compare(y.NanosPerRequest, x.NanosPerRequest) })
	slices.SortFunc(k.LargestMaps, func(x, y Map) int { return cmp.Compare(y.Bytes, x.Bytes) })
	k.LargestMaps = k.LargestMaps[:min(len(k.LargestMaps), maxMaps)]
	return k
}

func (k *Kernel) addProgram(now, then programInfo, n float64) {
	k.Loaded++
	k.Types[now.Type]++
	p := Program{
		Name: now.Name, Type: now.Type,
		RunsPerRequest:  float64(now.Runs-then.Runs) / n,
		NanosPerRequest: float64(now.RunTime-then.RunTime) / n,
	}
	if p.RunsPerRequest == 0 {
		return
	}
	k.Programs = append(k.Programs, p)
	k.RunsPerRequest += p.RunsPerRequest
	k.NanosPerRequest += p.NanosPerRequest
}
