// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Report is one run of a benchmark: what was measured, where and how.
type Report struct {
	Date        time.Time
	Kernel      string
	Clock       string // what a microsecond is
	CPUs        int
	Command     string
	Agent       string
	BinaryBytes int64 `json:",omitempty"`
	Bars        []Bar `json:",omitempty"`
	Results     []Result
}

// Bar is a figure next to what it must not exceed.
type Bar struct {
	What  string
	Value float64
	Limit float64
	Unit  string
}

// Met tells if the figure is good enough.
func (b Bar) Met() bool { return b.Value <= b.Limit }

// NewReport begins a report of what s measures.
func NewReport(s Settings, clock string) Report {
	r := Report{Date: time.Now().UTC().Truncate(time.Second), Clock: clock, CPUs: runtime.NumCPU(), Agent: s.Agent, Command: strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " ")}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if info, err := os.Stat(s.AgentFile); err == nil {
		r.BinaryBytes = info.Size()
	}
	return r
}

// Read reads a report that Write wrote.
func Read(file string) (Report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Report{}, fmt.Errorf("read report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("decode report %s: %w", file, err)
	}
	return r, nil
}

// Write writes the report to file as JSON, and beside it (.md) as Markdown.
func (r *Report) Write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	beside := strings.TrimSuffix(file, ".json") + ".md"
	if err := os.WriteFile(beside, []byte(r.Markdown()), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
