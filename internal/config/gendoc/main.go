// SPDX-License-Identifier: Apache-2.0

// Command gendoc writes the reference of the configuration: the doc comments
// of package config's structs joined with the facts that their tags and
// Default state. Run it by `go generate ./internal/config`.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	os.Exit(run())
}

func run() int {
	out := flag.String("out", "configuration.md", "file to write")
	source := flag.String("source", ".", "directory of package config")
	flag.Parse()
	page, err := Page(*source)
	if err == nil {
		err = os.WriteFile(*out, page, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		return 1
	}
	return 0
}
