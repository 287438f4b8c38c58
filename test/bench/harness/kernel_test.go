// SPDX-License-Identifier: Apache-2.0

package harness

import "testing"

// TestNewKernelCountsOwn has four programs: one older than the agent, two of
// it (one idle), and one that somebody else loaded meanwhile.
func TestNewKernelCountsOwn(t *testing.T) {
	before := census{programs: map[int]programInfo{1: {ID: 1}}}
	first := census{programs: map[int]programInfo{1: {ID: 1}, 2: {ID: 2, Runs: 100, RunTime: 1000}, 3: {ID: 3}}}
	second := census{
		programs: map[int]programInfo{
			1: {ID: 1, Runs: 900},
			2: {ID: 2, Name: "send", Runs: 300, RunTime: 5000, Maps: []int{5}},
			3: {ID: 3, Maps: []int{5}},
			4: {ID: 4, Runs: 900, Maps: []int{6}},
		},
		maps: map[int]mapInfo{5: {ID: 5, Bytes: 4096}, 6: {ID: 6, Bytes: 8192}},
	}

	k := newKernel(before, first, second, map[int]bool{2: true, 3: true}, 100)

	if k.Loaded != 2 || k.Foreign != 2 {
		t.Errorf("Loaded %d, Foreign %d; want 2, 2", k.Loaded, k.Foreign)
	}
	if len(k.Programs) != 1 || k.RunsPerRequest != 2 || k.NanosPerRequest != 40 {
		t.Errorf("programs %+v, %v runs, %v ns; want one, 2, 40", k.Programs, k.RunsPerRequest, k.NanosPerRequest)
	}
	if k.Maps != 1 || k.MapBytes != 4096 {
		t.Errorf("%d maps of %d bytes, want 1 of 4096", k.Maps, k.MapBytes)
	}
}

// TestNewKernelHeldByNobody is for an agent that keeps no program open.
func TestNewKernelHeldByNobody(t *testing.T) {
	before := census{programs: map[int]programInfo{1: {ID: 1}}}
	second := census{programs: map[int]programInfo{1: {ID: 1, Runs: 5}, 2: {ID: 2, Runs: 10}}}

	k := newKernel(before, before, second, nil, 10)

	if k.Loaded != 1 || k.Foreign != 1 || k.RunsPerRequest != 1 {
		t.Errorf("Loaded %d, Foreign %d, %v runs; want 1, 1, 1", k.Loaded, k.Foreign, k.RunsPerRequest)
	}
}
