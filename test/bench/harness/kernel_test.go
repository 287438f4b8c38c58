// SPDX-License-Identifier: Apache-2.0

package harness

import "testing"

// TestNewKernelCountsOwn has four programs: one older than the agent, two of
// it (one idle), and one that somebody else loaded meanwhile.
func TestNewKernelCountsOwn(t *testing.T) {
	mine, theirs := owners{{PID: 7}}, owners{{PID: 8}}
	before := census{programs: map[int]programInfo{1: {ID: 1, PIDs: theirs}}}
	first := census{programs: map[int]programInfo{
		1: {ID: 1, PIDs: theirs}, 2: {ID: 2, Runs: 100, RunTime: 1000, PIDs: mine}, 3: {ID: 3, PIDs: mine},
	}}
	second := census{
		programs: map[int]programInfo{
			1: {ID: 1, Runs: 900, PIDs: theirs},
			2: {ID: 2, Name: "send", Runs: 300, RunTime: 5000, PIDs: mine},
			3: {ID: 3, PIDs: mine},
			4: {ID: 4, Runs: 900, PIDs: theirs},
		},
		maps: map[int]mapInfo{5: {ID: 5, Bytes: 4096, PIDs: mine}, 6: {ID: 6, Bytes: 8192, PIDs: theirs}},
	}

	k := newKernel(before, first, second, []int{6, 7}, 100)

	if !k.ByPID || k.Loaded != 2 || k.Foreign != 2 {
		t.Errorf("ByPID %v, Loaded %d, Foreign %d; want true, 2, 2", k.ByPID, k.Loaded, k.Foreign)
	}
	if len(k.Programs) != 1 || k.RunsPerRequest != 2 || k.NanosPerRequest != 40 {
		t.Errorf("programs %+v, %v runs, %v ns; want one, 2, 40", k.Programs, k.RunsPerRequest, k.NanosPerRequest)
	}
	if k.Maps != 1 || k.MapBytes != 4096 {
		t.Errorf("%d maps of %d bytes, want 1 of 4096", k.Maps, k.MapBytes)
	}
}

// TestNewKernelWithoutOwners is for a bpftool that names no processes.
func TestNewKernelWithoutOwners(t *testing.T) {
	before := census{programs: map[int]programInfo{1: {ID: 1}}}
	second := census{programs: map[int]programInfo{1: {ID: 1, Runs: 5}, 2: {ID: 2, Runs: 10}}}

	k := newKernel(before, before, second, []int{7}, 10)

	if k.ByPID || k.Loaded != 1 || k.RunsPerRequest != 1 {
		t.Errorf("ByPID %v, Loaded %d, %v runs; want false, 1, 1", k.ByPID, k.Loaded, k.RunsPerRequest)
	}
}
