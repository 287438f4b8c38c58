// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// canary is in all that no recording may show.
const canary = "CaNaRy"

// serve answers until the process ends.
func serve(l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "session="+canary)
		fmt.Fprint(w, "hello "+canary)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "cut", http.StatusBadRequest)
			return
		}
		w.Write(b)
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		for range 4 {
			fmt.Fprint(w, strings.Repeat(canary, 40))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(largeBody))
		chunk := []byte(strings.Repeat(canary+"..", 2048))
		for n := 0; n < largeBody; n += len(chunk) {
			w.Write(chunk)
		}
	})
	mux.HandleFunc("/hangup", func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	})
	mux.HandleFunc("/old", func(w http.ResponseWriter, _ *http.Request) {
		c, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		fmt.Fprint(buf, "HTTP/1.0 200 "+canary+"\r\n\r\nuntil the end, "+canary)
		buf.Flush()
		c.Close()
	})
	// It fails when the listener is closed, which it is not.
	_ = http.Serve(l, mux)
}

// largeBody is what is only counted.
const largeBody = 1 << 20
