// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// counters are an agent's own counters, by name and labels; nil if it has none.
type counters map[string]float64

// counters reads them. A nil agent has none.
func (a *agent) counters() counters {
	if a == nil {
		return nil
	}
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", a.metrics))
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	return parseCounters(string(text))
}

// parseCounters reads the Prometheus text format. Counters are the samples
// whose name ends in _total.
func parseCounters(text string) counters {
	c := counters{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, _, _ := strings.Cut(line, "{")
		name, _, _ = strings.Cut(name, " ")
		if strings.HasPrefix(line, "#") || !strings.HasSuffix(name, "_total") {
			continue
		}
		// Labels may hold spaces, the value does not.
		i := strings.LastIndexByte(line, ' ')
		if value, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
			c[line[:i]] = value
		}
	}
	return c
}

// since returns the counters that have changed from before to c, as differences.
func (c counters) since(before counters) counters {
	changed := counters{}
	for name, value := range c {
		if value != before[name] {
			changed[name] = value - before[name]
		}
	}
	return changed
}

// sum adds up those whose name or labels match, or is -1 if there are none at all.
func (c counters) sum(match *regexp.Regexp) float64 {
	if c == nil {
		return -1
	}
	total := 0.0
	for name, value := range c {
		if match.MatchString(name) {
			total += value
		}
	}
	return total
}
