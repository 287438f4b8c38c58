// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/test/bench/harness"
)

func report(inPath, agent, bystander float64) *harness.Report {
	return &harness.Report{Kernel: "6.12.1-cloud", Clock: "instructions", Results: []harness.Result{
		{Case: "nginx", Backend: "fentry", AddedUS: inPath, AgentUS: agent},
		{Case: "unselected", Backend: "fentry", Unselected: true, AddedUS: bystander, AgentUS: 0.02},
		{Case: "nginx", Backend: "fentry", Other: true, AddedUS: 99, AgentUS: 99},
	}}
}

func TestAcceptFailsOnARise(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accepted.json")
	if err := accept(file, report(4, 10, 0.6), true); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		report *harness.Report
		rises  bool
	}{
		{"the same", report(4, 10, 0.6), false},
		{"within a twentieth", report(4.2, 10.4, 0.62), false},
		{"in the path", report(4.3, 10, 0.6), true},
		{"agent", report(4, 10.6, 0.6), true},
		{"bystander", report(4, 10, 0.7), true},
		{"lower", report(3, 8, 0.3), false},
	} {
		if err := accept(file, tt.report, false); (err != nil) != tt.rises {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := accept(file, report(5, 10, 0.6), true); err != nil {
		t.Fatal(err)
	}
	if err := accept(file, report(5, 10, 0.6), false); err != nil {
		t.Errorf("after it was accepted: %v", err)
	}
}

func TestCompare(t *testing.T) {
	got := compare(report(4, 10, 0.6), report(5, 10, 0.6))
	if !strings.Contains(got, "| nginx, fentry | added in the path, µs | 4.00 | 5.00 | +25.0 % |") {
		t.Errorf("no such line in:\n%s", got)
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	r := harness.Report{Kernel: "6.12.1", Results: []harness.Result{
		{Case: "body-1K", Group: harness.ByBody, X: 1024, Backend: "fentry", AgentUS: 10, Kernel: &harness.Kernel{NanosPerRequest: 3000}},
		{Case: "body-1M", Group: harness.ByBody, X: 1 << 20, Backend: "fentry", AgentUS: 0, Kernel: &harness.Kernel{NanosPerRequest: 9000}},
	}}
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("before\n"+tablesBegin+"\nold\n"+tablesEnd+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plot(page, []harness.Report{r}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.HasPrefix(s, "before\n"+tablesBegin) || !strings.HasSuffix(s, tablesEnd+"\nafter\n") || strings.Contains(s, "old") || !strings.Contains(s, "body-1M") {
		t.Errorf("the page is now:\n%s", s)
	}
	chart, err := os.Open(strings.TrimSuffix(page, ".md") + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	defer chart.Close()
	circles := 0
	for d := xml.NewDecoder(chart); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 4 {
		t.Errorf("%d points, want 4", circles)
	}
}
