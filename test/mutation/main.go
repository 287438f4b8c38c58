// SPDX-License-Identifier: Apache-2.0

// Command mutation changes the sources one line at a time, in a copy, and runs
// the cheapest tests that should notice. It prints a table, stores it in a
// document if told to, and fails if a change went unnoticed.
//
//	mutation [-doc FILE] [-only TEXT] REPOSITORY
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	doc := flag.String("doc", "", "document to store the table in, between its two marks")
	only := flag.String("only", "", "only mutations whose file or description contains this")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mutation [-doc FILE] [-only TEXT] REPOSITORY")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *doc, *only); err != nil {
		fmt.Fprintf(os.Stderr, "mutation: %v\n", err)
		os.Exit(1)
	}
}

func run(repository, doc, only string) error {
	copied, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return fmt.Errorf("make a folder for the copy: %w", err)
	}
	defer os.RemoveAll(copied)
	// what git knows, as it is now; the rest is not needed
	script := `cd "$1" && git ls-files -z --recurse-submodules | tar c --null --ignore-failed-read --files-from=- 2>/dev/null | tar x -C "$2"`
	if out, err := exec.Command("sh", "-c", script, "sh", repository, copied).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the sources: %w\n%s", err, out)
	}
	var results []result
	survivors := 0
	for _, m := range mutations() {
		if only != "" && !strings.Contains(m.file+" "+m.what, only) {
			continue
		}
		r, err := try(copied, m)
		if err != nil {
			fmt.Fprintf(os.Stderr, "mutation: %v\n", err)
		}
		if r.killer == "" {
			survivors++
		}
		fmt.Println(r.row())
		results = append(results, r)
	}
	if doc != "" {
		if err := store(doc, results); err != nil {
			return err
		}
	}
	fmt.Printf("%d mutations, %d survived\n", len(results), survivors)
	if survivors > 0 {
		return fmt.Errorf("%d mutations went unnoticed", survivors)
	}
	return nil
}

// result is what became of a mutation.
type result struct {
	mutation
	killer string // the suite that failed, "" if none did
}

func (r result) row() string {
	killer := r.killer
	if killer == "" {
		killer = "**survived**"
	}
	return fmt.Sprintf("| %s | %s | `%s` | %s |", r.area, r.what, r.file, killer)
}

// try applies m, runs its suites until one fails, and takes it back.
func try(dir string, m mutation) (result, error) {
	r := result{mutation: m}
	path := filepath.Join(dir, m.file)
	before, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("read %s: %w", m.file, err)
	}
	if n := strings.Count(string(before), m.from); n != 1 {
		return r, fmt.Errorf("%s: %q is there %d times, want once: bring test/mutation/mutations.go up to date", m.file, m.from, n)
	}
	after := strings.Replace(string(before), m.from, m.to, 1)
	if err := os.WriteFile(path, []byte(after), 0o644); err != nil {
		return r, fmt.Errorf("change %s: %w", m.file, err)
	}
	defer os.WriteFile(path, before, 0o644)
	for _, s := range m.suites {
		failed, err := s.run(dir)
		if err != nil {
			return r, fmt.Errorf("%s: %s: %w", m.file, m.what, err)
		}
		if failed {
			r.killer = s.name
			break
		}
	}
	return r, nil
}

// store replaces what is between the marks of a document by a table.
func store(path string, results []result) error {
	const begin, end = "<!-- mutations -->\n", "<!-- /mutations -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return fmt.Errorf("%s has no marks for the table", path)
	}
	var b strings.Builder
	b.WriteString("| area | change | in | noticed by |\n|---|---|---|---|\n")
	for _, r := range results {
		b.WriteString(r.row() + "\n")
	}
	if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}
