// SPDX-License-Identifier: Apache-2.0

package links

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bars are what a row has to reach, as shares.
type Bars struct {
	Precision    float64 // of both kinds of links
	CallRecall   float64
	ExchangeRate float64 // recall of exchange links
}

// Row is one line of the table.
type Row struct {
	Runtime     string
	Concurrency int
	Score       Score
	Bars        Bars
}

// Failures says which bars the row is below, one line each. A span that came
// twice is below any.
func (r *Row) Failures() []string {
	var out []string
	below := func(what string, t Tally, got, bar float64) {
		if got < bar {
			out = append(out, fmt.Sprintf("%s is %s, the bar is %s (%d right, %d claimed, %d expected)",
				what, percent(got), percent(bar), t.Right, t.Claimed, t.Expected))
		}
	}
	if r.Score.Extra > 0 {
		out = append(out, fmt.Sprintf("%d spans came twice", r.Score.Extra))
	}
	below("precision of calls", r.Score.Calls, r.Score.Calls.Precision(), r.Bars.Precision)
	below("precision of exchanges", r.Score.Exchanges, r.Score.Exchanges.Precision(), r.Bars.Precision)
	below("recall of calls", r.Score.Calls, r.Score.Calls.Recall(), r.Bars.CallRecall)
	below("recall of exchanges", r.Score.Exchanges, r.Score.Exchanges.Recall(), r.Bars.ExchangeRate)
	return out
}

const tableHead = `| runtime | in flight | requests | spans | missing | extra | calls | claimed | precision | recall | exchanges | claimed | precision | recall | calls by evidence | below a bar |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|
`

// Table renders rows in Markdown.
func Table(rows []Row) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %s | %s | %s | %s |\n",
			r.Runtime, r.Concurrency, r.Score.Requests, r.Score.Spans, r.Score.Missing, r.Score.Extra,
			cells(r.Score.Calls), cells(r.Score.Exchanges), evidence(r.Score.Evidence), verdict(len(r.Failures())))
	}
	return b.String()
}

func cells(t Tally) string {
	precision := "–"
	if t.Claimed > 0 {
		precision = percent(t.Precision())
	}
	return fmt.Sprintf("%d | %d | %s | %s", t.Expected, t.Claimed, precision, percent(t.Recall()))
}

// evidence lists what links rest on, the most frequent first.
func evidence(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", cmp.Or(name, "none"), counts[name])
	}
	return strings.Join(names, ", ")
}

func verdict(failures int) string {
	if failures > 0 {
		return "**yes**"
	}
	return ""
}

// percent never rounds up to 100.
func percent(share float64) string {
	if share == 1 {
		return "100 %"
	}
	return fmt.Sprintf("%.2f %%", float64(int(share*10000))/100)
}

// Replace puts table between the marks of a document.
func Replace(document, table string) (string, error) {
	const begin, end = "<!-- table -->\n", "<!-- end of table -->\n"
	from, to := strings.Index(document, begin), strings.Index(document, end)
	if from < 0 || to < from {
		return "", fmt.Errorf("the document has no %q and %q", begin, end)
	}
	return document[:from+len(begin)] + table + document[to:], nil
}
