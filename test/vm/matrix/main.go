// SPDX-License-Identifier: Apache-2.0

// Command matrix judges what guest.sh found out on stock kernels: it compares
// the verifier's instruction counts with the golden table and lists what failed.
//
//	matrix FILE...             judge results; status 1 if anything is wrong
//	matrix -accept FILE...     the same, then make the counts the golden ones
//	matrix -publish FILE...    keep full results here and render docs/support.md
//	matrix -publish            render docs/support.md
//
// A file is named for its kernel: 6.1.txt, 6.1-arm64.txt.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
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
	publish := flag.Bool("publish", false, "keep full results and render "+supportPath)
	flag.Parse()
	if err := run(flag.Args(), *accept, *publish); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(paths []string, accept, publish bool) error {
	golden, err := readGolden(goldenPath)
	if err != nil {
		return err
	}
	var wrong []string
	for _, path := range paths {
		r, err := readResults(path)
		if err != nil {
			return err
		}
		fmt.Println(r.summary())
		wrong = append(wrong, r.failures()...)
		if accept {
			golden.accept(r)
		} else {
			wrong = append(wrong, golden.compare(r)...)
		}
		if publish && r.set == "full" {
			if err := r.keep(resultsPath); err != nil {
				return err
			}
		}
	}
	if accept {
		if err := os.WriteFile(goldenPath, []byte(golden.String()), 0o644); err != nil {
			return fmt.Errorf("write golden table: %w", err)
		}
	}
	if publish {
		if err := renderSupport(); err != nil {
			return err
		}
	}
	for _, w := range wrong {
		fmt.Println("  " + w)
	}
	if len(wrong) > 0 {
		return errors.New("the kernel matrix has failures")
	}
	return nil
}

// readKept reads the results that the documentation shows, by kernel.
func readKept(dir string) (map[string]*results, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	kept := map[string]*results{}
	for _, path := range paths {
		r, err := readResults(path)
		if err != nil {
			return nil, err
		}
		kept[r.kernel] = r
	}
	return kept, nil
}
