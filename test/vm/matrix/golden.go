// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// rise is the increase of a program's instruction count that fails, in percent.
const rise = 10

// golden is the accepted table of instruction counts: kernel, then program.
type golden map[string]map[string]int

const goldenHead = `# Instructions that the verifier walks, at most over all load-time constants.
# A rise above 10 % fails; "make verifier-accept" accepts.
`

// readGolden parses the table. No file is an empty table.
func readGolden(path string) (golden, error) {
	g := golden{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read golden table: %w", err)
	}
	var kernels []string
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "#") || len(words) == 0:
		case kernels == nil:
			kernels = words[1:]
		case len(words) != len(kernels)+1:
			return nil, fmt.Errorf("%s: %q: want %d columns", path, line, len(kernels)+1)
		default:
			if err := g.row(kernels, words); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", path, line, err)
			}
		}
	}
	return g, nil
}

func (g golden) row(kernels, words []string) error {
	for i, word := range words[1:] {
		if word == "-" {
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		if g[kernels[i]] == nil {
			g[kernels[i]] = map[string]int{}
		}
		g[kernels[i]][words[0]] = n
	}
	return nil
}

// accept makes r's counts the golden ones of its kernel, unless a program did not load.
func (g golden) accept(r *results) {
	if r.of("all", "verifier") == "pass" {
		g[r.kernel] = r.insns
	}
}

// compare lists what of r would have to be accepted.
func (g golden) compare(r *results) []string {
	want := g[r.kernel]
	var wrong []string
	for _, program := range slices.Sorted(maps.Keys(r.insns)) {
		switch was, now := want[program], r.insns[program]; {
		case was == 0:
			wrong = append(wrong, fmt.Sprintf("%s: %s: %d instructions, not in %s (make verifier-accept)", r.kernel, program, now, goldenPath))
		case now*100 > was*(100+rise):
			wrong = append(wrong, fmt.Sprintf("%s: %s: %d instructions, %d %% more than %d (make verifier-accept)", r.kernel, program, now, (now-was)*100/was, was))
		}
	}
	for _, program := range slices.Sorted(maps.Keys(want)) {
		if r.insns[program] == 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %s did not load", r.kernel, program))
		}
	}
	return wrong
}

// String renders the table: a row for each program, a column for each kernel.
func (g golden) String() string {
	kernels := slices.SortedFunc(maps.Keys(g), byKernel)
	programs := map[string]bool{}
	for _, column := range g {
		for p := range column {
			programs[p] = true
		}
	}
	var b strings.Builder
	b.WriteString(goldenHead)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "program\t"+strings.Join(kernels, "\t"))
	for _, p := range slices.Sorted(maps.Keys(programs)) {
		cells := []string{p}
		for _, k := range kernels {
			cell := "-"
			if n := g[k][p]; n > 0 {
				cell = strconv.Itoa(n)
			}
			cells = append(cells, cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush() // a strings.Builder takes everything
	return b.String()
}
