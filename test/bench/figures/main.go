// SPDX-License-Identifier: Apache-2.0

// Command figures works on the reports of the benchmarks:
//
//	figures compare OLD NEW           two reports side by side
//	figures accept [-update] REPORT   fails if instructions per request rose above test/bench/accepted.json
//	figures plot PAGE REPORT...       the chart beside PAGE (.svg), and the tables between PAGE's markers
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/tracer-agent/tracer-agent/test/bench/harness"
)

var errUsage = errors.New("usage: figures compare OLD NEW | accept [-update] REPORT | plot PAGE REPORT...")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	set := flag.NewFlagSet("figures", flag.ContinueOnError)
	update := set.Bool("update", false, "accept the report's figures")
	file := set.String("accepted", "test/bench/accepted.json", "the accepted figures")
	if err := set.Parse(args[1:]); err != nil {
		return err
	}
	names := set.Args()
	if args[0] == "plot" && len(names) > 1 {
		reports, err := read(names[1:])
		if err != nil {
			return err
		}
		return plot(names[0], reports)
	}
	reports, err := read(names)
	switch {
	case err != nil:
		return err
	case args[0] == "compare" && len(reports) == 2:
		fmt.Print(compare(&reports[0], &reports[1]))
		return nil
	case args[0] == "accept" && len(reports) == 1:
		return accept(*file, &reports[0], *update)
	}
	return errUsage
}

func read(files []string) ([]harness.Report, error) {
	var reports []harness.Report
	for _, f := range files {
		r, err := harness.Read(f)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}
