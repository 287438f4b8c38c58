// SPDX-License-Identifier: Apache-2.0

// Command goserver is the benchmarks' net/http server: it answers every request
// with 200 bytes. Usage: goserver HOST:PORT
package main

import (
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	body := []byte(strings.Repeat("x", 199) + "\n")
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(body)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
