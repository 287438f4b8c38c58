// SPDX-License-Identifier: Apache-2.0

// Command goserver is the benchmarks' net/http server: it answers /bytes/N with N
// bytes and every other request with 200 bytes. Usage: goserver HOST:PORT
package main

import (
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// piece is what is written at a time of a long body.
const piece = 64 << 10

func main() {
	body := []byte(strings.Repeat("x", 199) + "\n")
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(body)
	})
	long := make([]byte, piece)
	http.HandleFunc("/bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		for n > 0 && err == nil {
			var written int
			written, err = w.Write(long[:min(n, piece)])
			n -= int64(written)
		}
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
