// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// corpusEntry is one line of testdata/http-parser.txt.
type corpusEntry struct {
	name string
	kind Kind
	text string
}

func readCorpus(tb testing.TB) (entries []corpusEntry) {
	tb.Helper()
	file, err := os.Open("testdata/http-parser.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		number, quoted, _ := strings.Cut(rest, " ")
		text, err := strconv.Unquote(quoted)
		if err != nil {
			tb.Fatalf("%s %s: %v", kind, number, err)
		}
		e := corpusEntry{name: kind + " " + number, text: text}
		if kind == "response" {
			e.kind = Response
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil || len(entries) < 70 {
		tb.Fatalf("%d entries: %v", len(entries), err)
	}
	return entries
}

// TestHTTPParserCorpus runs the messages of http-parser's own tests.
func TestHTTPParserCorpus(t *testing.T) {
	const golden = "testdata/http-parser.golden"
	var b strings.Builder
	for _, e := range readCorpus(t) {
		whole := program{kind: e.kind, text: []byte(e.text)}.run(nil)
		for size := range byte(20) {
			got := program{kind: e.kind, text: []byte(e.text)}.run([]byte{size})
			if !slices.Equal(got, whole) {
				t.Errorf("%s in pieces of %d:\n%s", e.name, size+1, strings.Join(got, "\n"))
			}
		}
		fmt.Fprintf(&b, "%s\n\t%s\n", e.name, strings.Join(whole, "\n\t"))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("differs from %s:\n%s", golden, b.String())
	}
}
