// SPDX-License-Identifier: Apache-2.0

package links

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	good := Row{"go", 1, Score{Requests: 10, Spans: 50, Calls: tally(20, 20, 20, 0), Exchanges: tally(20, 20, 20, 0),
		Evidence: map[string]int{"thread": 5, "goroutine": 15}}, Bars{1, 1, 1}}
	bad := Row{"node", 64, Score{Requests: 10, Spans: 49, Missing: 1, Calls: tally(10000, 5000, 4999, 0), Exchanges: tally(10000, 10000, 9999, 1)}, Bars{0.999, 0.5, 1}}
	want := `| go | 1 | 10 | 50 | 0 | 0 | 20 | 20 | 100 % | 100 % | 20 | 20 | 100 % | 100 % | goroutine 15, thread 5 |  |
| node | 64 | 10 | 49 | 1 | 0 | 10000 | 5000 | 99.98 % | 49.99 % | 10000 | 10000 | 99.99 % | 99.99 % |  | **yes** |
`
	got, found := strings.CutPrefix(Table([]Row{good, bad}), tableHead)
	if !found || got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if lines := strings.Split(tableHead, "\n"); strings.Count(lines[0], "|") != strings.Count(lines[1], "|") || strings.Count(lines[0], "|") != strings.Count(want, "|")/2 {
		t.Error("the head has another number of columns")
	}
	failures := strings.Join(bad.Failures(), "\n")
	if strings.Count(failures, "\n") != 1 || !strings.Contains(failures, "recall of calls is 49.99 %, the bar is 50.00 % (4999 right, 5000 claimed, 10000 expected)") ||
		!strings.Contains(failures, "recall of exchanges is 99.99 %, the bar is 100 %") {
		t.Errorf("failures: %s", failures)
	}
	twice := good
	twice.Score.Extra = 2
	if f := twice.Failures(); len(f) != 1 || f[0] != "2 spans came twice" {
		t.Errorf("failures: %q", f)
	}
	if f := good.Failures(); len(f) > 0 {
		t.Errorf("failures: %q", f)
	}
}

func TestReplace(t *testing.T) {
	got, err := Replace("a\n<!-- table -->\nold\n<!-- end of table -->\nb\n", "new\n")
	if err != nil || got != "a\n<!-- table -->\nnew\n<!-- end of table -->\nb\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Replace("a", "new"); err == nil {
		t.Error("a document without marks is accepted")
	}
}
