// SPDX-License-Identifier: Apache-2.0

// Command web is the service that the packaging tests trace: "web serve ADDRESS"
// answers every request until it is ended, "web get URL" makes one.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: web serve ADDRESS | web get URL")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "web: %v\n", err)
		os.Exit(1)
	}
}

func run(command, arg string) error {
	if command == "serve" {
		return http.ListenAndServe(arg, http.HandlerFunc(answer))
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(arg)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

func answer(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s\n", r.URL.Path)
}
