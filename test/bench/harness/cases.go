// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"slices"
	"strings"
)

// Case is one thing to measure.
type Case struct {
	Name       string
	Server     Kind
	Unselected bool    // the agent traces another server than the one under load
	Requests   int     // per run; 0: Settings.Requests
	Pairs      int     // 0: Settings.Pairs
	Rate       float64 // requests per second; 0: as many as there can be
	Delay      bool    // measure from the response's end to the span at the sink
	Saturation bool    // count losses at full and at half load

	Group     string  // cases that differ in X alone
	X         float64 // what the group is plotted against
	Processes int     // further processes that the agent selects, which are idle
	Idle      int     // further connections to the server, each with one request
	Body      int64   // bytes of each response; 0: as the server likes
}

// Groups of cases.
const (
	ByProcesses = "processes"
	ByIdle      = "idle"
	ByBody      = "body"
)

// bodyVolume is about how many bytes a run of a body case moves; on a clock that
// counts instructions, where repeats agree and copying is slow, a part of it.
const (
	bodyVolume      = 2 << 30
	bodyVolumeShort = 1 << 28
)

// sweepPairs is how many pairs a case of a group has at most.
const sweepPairs = 4

// Cases returns the cases of a comma-separated list of names and groups. rate is
// that of the case nginx: 0 for a machine whose clock counts instructions, where
// nothing is gained by pauses.
func Cases(list string, rate float64) ([]Case, error) {
	all := everyCase(rate)
	var chosen []Case
	for name := range strings.SplitSeq(list, ",") {
		n := len(chosen)
		for _, c := range all {
			if c.Name == name || c.Group == name && name != "" {
				chosen = append(chosen, c)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("unknown case %q; there are: %s", name, caseNames(all))
		}
	}
	return chosen, nil
}

func caseNames(all []Case) string {
	var names []string
	for _, c := range all {
		if c.Group == "" {
			names = append(names, c.Name)
		} else if !slices.Contains(names, c.Group) {
			names = append(names, c.Group)
		}
	}
	return strings.Join(names, ", ")
}

func everyCase(rate float64) []Case {
	all := []Case{
		// Paced, because agent and load share what processors the server leaves:
		// a server that is flooded gives more requests than can be exported.
		{Name: "nginx", Server: Nginx, Rate: rate, Delay: true, Saturation: rate > 0},
		{Name: "nginx-full", Server: Nginx, Requests: 50000},
		{Name: "go", Server: Go},
		{Name: "python", Server: Python, Requests: 4000}, // ten times as long per request
		{Name: "unselected", Server: Nginx, Unselected: true},
	}
	for _, n := range []int{1, 100, 5000} {
		all = append(all, Case{Name: fmt.Sprintf("processes-%d", n), Group: ByProcesses, X: float64(n), Server: Nginx, Rate: rate, Pairs: sweepPairs, Processes: n})
	}
	for _, n := range []int{10, 50000} {
		all = append(all, Case{Name: fmt.Sprintf("idle-%d", n), Group: ByIdle, X: float64(n), Server: Nginx, Rate: rate, Pairs: sweepPairs, Idle: n})
	}
	volume := int64(bodyVolume)
	if rate == 0 {
		volume = bodyVolumeShort
	}
	for _, size := range []struct {
		name  string
		bytes int64
	}{{"1K", 1 << 10}, {"64K", 64 << 10}, {"1M", 1 << 20}, {"64M", 64 << 20}, {"1G", 1 << 30}} {
		all = append(all, Case{Name: "body-" + size.name, Group: ByBody, X: float64(size.bytes), Server: Go, Pairs: sweepPairs, Body: size.bytes,
			Requests: int(min(max(volume/size.bytes, 2), 5000))})
	}
	return all
}
