// SPDX-License-Identifier: Apache-2.0

// Command echo is the application in the pods of the node test: with an address it
// serves, with a URL it asks for that twice a second. What follows "secret=" in the
// URL is replaced by its SHA-256, so that what is sent stands in no Pod object.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: echo ADDRESS | URL")
	}
	if strings.HasPrefix(os.Args[1], "http://") {
		ask(os.Args[1])
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello "+r.URL.Query().Get("echo"))
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func ask(url string) {
	if before, seed, ok := strings.Cut(url, "secret="); ok {
		url = before + fmt.Sprintf("%x", sha256.Sum256([]byte(seed)))
	}
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range time.Tick(500 * time.Millisecond) {
		resp, err := client.Get(url)
		if err != nil {
			fmt.Println(err)
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
