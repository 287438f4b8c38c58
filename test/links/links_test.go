// SPDX-License-Identifier: Apache-2.0

//go:build links || integration

package links

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// load is how many requests are in flight, and how many are made in all.
type load struct{ concurrency, requests int }

// TestLinks measures every runtime at each concurrency. A row below a bar fails.
func TestLinks(t *testing.T) {
	var rows []Row
	ready := "" // the agent's first line
	for _, r := range runtimes() {
		if !full && !r.small {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t, &r, agentOptions{})
			ready = w.agent.Out.String()
			for _, l := range loads() {
				t.Run(fmt.Sprintf("c%d", l.concurrency), func(t *testing.T) {
					plan := Plan(fmt.Sprintf("c%d", l.concurrency), l.requests, 10, !r.mute, r.shape)
					row := Row{r.name, l.concurrency, *w.measure(t, plan, l.concurrency), r.kind.bars(l.concurrency)}
					rows = append(rows, row)
					report(t, &row)
				})
			}
		})
	}
	t.Logf("\n%s", Table(rows))
	if path := os.Getenv("TRACER_LINKS_TABLE"); path != "" {
		writeTable(t, path, where(t, ready)+Table(rows))
	}
}

// where says what the table was measured on.
func where(t *testing.T, ready string) string {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(release), "%d.%d", &major, &minor); err != nil {
		t.Fatalf("the kernel's release is %q: %v", release, err)
	}
	_, backend, _ := strings.Cut(ready, "backend=")
	backend, _, _ = strings.Cut(backend, " ")
	return fmt.Sprintf("Linux %d.%d, %s, backend %s, %s.\n\n", major, minor, runtime.GOARCH, backend, runtime.Version())
}

// report fails the test for each bar that the row is below.
func report(t *testing.T, row *Row) {
	t.Helper()
	failures := row.Failures()
	for _, f := range failures {
		t.Error(f)
	}
	if row.Score.Missing+row.Score.Extra > 0 {
		t.Logf("%d spans are missing, %d too many", row.Score.Missing, row.Score.Extra)
	}
	for _, line := range row.Score.Mistakes {
		t.Log(line)
	}
	if len(failures) > 0 {
		t.Logf("not there, for example:\n%s", strings.Join(row.Score.Absent, "\n"))
	}
}

// writeTable puts the table into the document at path.
func writeTable(t *testing.T, path, table string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	document, err := Replace(string(old), table)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
		t.Fatal(err)
	}
}

// await waits until the sink has all spans of a plan, for as long as one may
// take to arrive, and returns all that it has.
func await(sink *otlptest.Sink, plan []Request) []otlptest.Span {
	wanted := map[truthKey]int{}
	for i := range plan {
		wanted[truthKey{plan[i].ID, otlptest.Server}] = 1
		for n := range plan[i].Calls {
			wanted[truthKey{plan[i].CallID(n), otlptest.Client}] = plan[i].attempts()
			wanted[truthKey{plan[i].CallID(n), otlptest.Server}] = plan[i].attempts()
		}
	}
	looked := 0 // at so many of the sink's spans
	spans, _ := sink.WaitUntil(func(spans []otlptest.Span) bool {
		for ; looked < len(spans); looked++ {
			key := truthKey{TruthID(&spans[looked]), spans[looked].Kind}
			if wanted[key]--; wanted[key] <= 0 {
				delete(wanted, key)
			}
		}
		return len(wanted) == 0
	}, time.Now().Add(spanLimit)) // the judge counts what is missing
	return spans
}
