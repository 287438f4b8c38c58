// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// reportTime is how long the storefront thinks before it answers /report, and
// feedPause how long it rests between the parts of /feed.
const (
	reportTime = 200 * time.Millisecond
	feedPause  = 60 * time.Millisecond
)

// feed is what /feed streams, one chunk each.
func feed() []string { return []string{"one\n", "two\n", "three\n"} }

// unixHost is the host name that the price service is asked by.
const unixHost = "prices.internal"

// Main runs the service that args name: its name, the address to listen on
// ("tcp 127.0.0.1:0", "unix /path"), and the addresses of the services that it
// asks: the storefront cart and prices, the cart stock. It writes its own address to out once it listens and serves
// until in ends, so that a service never outlives the demo.
func Main(args []string, in io.Reader, out io.Writer) error {
	if len(args) < 2 {
		return errors.New("usage: NAME ADDRESS [PEER...]")
	}
	handler, err := handlerOf(args[0], args[2:])
	if err != nil {
		return err
	}
	network, address, _ := strings.Cut(args[1], " ")
	l, err := net.Listen(network, address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(out, "%s %s\n", network, l.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go func() {
		// Whatever ends it, the demo is over.
		_, _ = io.Copy(io.Discard, in)
		server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func handlerOf(name string, peers []string) (http.Handler, error) {
	mux := http.NewServeMux()
	switch {
	case name == Storefront && len(peers) == 2:
		front := &storefront{cart: newPeer(peers[0]), prices: newPeer(peers[1])}
		mux.HandleFunc("GET /checkout/{id}", front.checkout)
		mux.HandleFunc("POST /orders", order)
		mux.HandleFunc("GET /report", report)
		mux.HandleFunc("GET /feed", stream)
		mux.HandleFunc("GET /broken", front.broken)
	case name == Cart && len(peers) == 1:
		mux.HandleFunc("GET /carts/{id}", (&cart{stock: newPeer(peers[0])}).show)
	case name == Stock:
		mux.HandleFunc("GET /stock/{item}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"item":%q,"left":7}`, r.PathValue("item"))
		})
	case name == Prices:
		mux.HandleFunc("GET /prices/{item}", price)
	default:
		return nil, fmt.Errorf("no such service: %q with %d peers", name, len(peers))
	}
	return mux, nil
}

// price knows the price of tea only.
func price(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("item") != "tea" {
		http.Error(w, "the price list is lost", http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, `{"item":"tea","price":3}`)
}

func order(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "ordered by %d bytes\n", n)
}

// report takes its time.
func report(w http.ResponseWriter, r *http.Request) {
	if pause(r.Context(), reportTime) {
		fmt.Fprint(w, "all is well\n")
	}
}

// stream answers in chunks with pauses between them.
func stream(w http.ResponseWriter, r *http.Request) {
	flusher := http.NewResponseController(w)
	for _, part := range feed() {
		if _, err := io.WriteString(w, part); err != nil || flusher.Flush() != nil || !pause(r.Context(), feedPause) {
			return
		}
	}
}

// pause waits for d and says whether ctx still wants an answer.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
