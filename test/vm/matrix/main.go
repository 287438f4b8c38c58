// SPDX-License-Identifier: Apache-2.0

// Command matrix judges what guest.sh found out on stock kernels: it compares
// the verifier's instruction counts with the golden table and lists what failed.
//
//	matrix FILE...             judge results; status 1 if anything is wrong
//	matrix -accept FILE...     make their counts the golden ones, then judge
//	matrix -publish FILE...    keep the results of cases here and render docs/support.md
//	matrix -publish            render docs/support.md
//
// A file is named for its kernel: 6.1.txt, 6.1-arm64.txt.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

// Where things are, from the root of the repository.
const (
	folder      = "test/vm/matrix"
	goldenPath  = folder + "/verifier.txt"
	resultsPath = folder + "/results"
	supportPath = "docs/support.md"
)

func main() {
	accept := flag.Bool("accept", false, "make the instruction counts the golden ones")
	publish := flag.Bool("publish", false, "keep the results of cases and render "+supportPath)
	flag.Parse()
	if err := run(flag.Args(), *accept, *publish); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(paths []string, accept, publish bool) error {
	accepted, err := readGolden(goldenPath)
	if err != nil {
		return err
	}
	var all []*results
	for _, path := range paths {
		r, err := readResults(path)
		if err != nil {
			return err
		}
		all = append(all, r)
		if accept {
			accepted.accept(r)
		}
	}
	if accept {
		if err := os.WriteFile(goldenPath, []byte(accepted.String()), 0o644); err != nil {
			return fmt.Errorf("write golden table: %w", err)
		}
	}
	if publish {
		if err := publishResults(all); err != nil {
			return err
		}
	}
	kept, err := readKept(resultsPath)
	if err != nil {
		return err
	}
	return judge(all, accepted, kept)
}

// judge prints a line for each kernel, and then everything that is wrong. Counts of
// another series than the one whose counts were accepted (the newest kernel
// changes by itself) are printed and fail nothing.
func judge(all []*results, accepted golden, kept map[string]*results) error {
	failed := false
	for _, r := range all {
		fmt.Println(r.summary())
	}
	for _, r := range all {
		for _, w := range r.failures() {
			fmt.Println("  " + w)
			failed = true
		}
		another := kept[r.kernel] != nil && kept[r.kernel].series() != r.series()
		for _, w := range accepted.compare(r) {
			fmt.Println("  " + w)
			failed = failed || !another
		}
		if another {
			fmt.Printf("  %s: the accepted counts are of %s\n", r.kernel, kept[r.kernel].release)
		}
	}
	if failed {
		return errors.New("the kernel matrix has failures")
	}
	return nil
}
