// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// kernels lists the matrix in the order in which people read it.
func kernels() []string {
	return []string{
		"5.10", "6.1", "6.12", "newest", "unstable",
		"5.10-arm64", "6.1-arm64", "6.12-arm64", "newest-arm64", "unstable-arm64",
	}
}

// byKernel orders kernels as kernels does, unknown ones last.
func byKernel(a, b string) int {
	at := func(k string) int {
		if i := slices.Index(kernels(), k); i >= 0 {
			return i
		}
		return len(kernels())
	}
	return cmp.Or(at(a)-at(b), strings.Compare(a, b))
}

// suites says where Debian has them.
func suites() map[string]string {
	return map[string]string{
		"5.10": "Debian 11", "6.1": "Debian 12", "6.12": "Debian 13",
		"newest": "Debian 13 backports", "unstable": "Debian unstable",
	}
}

func backends() []string { return []string{"fentry", "sock-tracepoint", "syscall-tracepoint"} }

// claimed says whether a backend should work on a kernel, from what is known of
// the features it needs: the ring buffer of 5.8; for fentry trampolines, which
// on arm64 need 6.4 (direct calls in ftrace); for sock-tracepoint tracepoints of 6.3.
func claimed(release, backend string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return false
	}
	from := 508
	switch {
	case backend == "fentry" && architecture(release) == "arm64":
		from = 604
	case backend == "sock-tracepoint":
		from = 603
	}
	return major*100+minor >= from
}

// architecture reads it from a Debian release name: 6.1.0-50-cloud-arm64.
func architecture(release string) string {
	return release[strings.LastIndexByte(release, '-')+1:]
}
