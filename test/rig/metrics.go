// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Metrics are samples of the Prometheus text format, by name and labels.
type Metrics map[string]float64

// scrapeTimeout bounds one scrape: an agent may have very little processor time.
const scrapeTimeout = 20 * time.Second

// Scrape reads the metrics at 127.0.0.1:port.
func Scrape(port int) (Metrics, error) {
	client := http.Client{Timeout: scrapeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		return nil, fmt.Errorf("scrape metrics: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("scrape metrics: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape metrics: status %d", response.StatusCode)
	}
	return ParseMetrics(string(text)), nil
}

// ParseMetrics reads the Prometheus text format; lines that are none are skipped.
func ParseMetrics(text string) Metrics {
	m := Metrics{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		// Labels may hold spaces, the value does not.
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if value, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
			m[line[:i]] = value
		}
	}
	return m
}

// Since returns the counters (names that end in _total) that have changed from
// before to m, as differences.
func (m Metrics) Since(before Metrics) Metrics {
	changed := Metrics{}
	for series, value := range m {
		name, _, _ := strings.Cut(series, "{")
		if strings.HasSuffix(name, "_total") && value != before[series] {
			changed[series] = value - before[series]
		}
	}
	return changed
}

// Sum adds up those whose name or labels match.
func (m Metrics) Sum(match *regexp.Regexp) float64 {
	total := 0.0
	for name, value := range m {
		if match.MatchString(name) {
			total += value
		}
	}
	return total
}
