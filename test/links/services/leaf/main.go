// SPDX-License-Identifier: Apache-2.0

// Command leaf is what the services under test call: it listens on the given
// addresses, or unix sockets if they are paths, and answers with the truth id
// that it was sent.
//
//	/leaf/MS   answers after MS milliseconds
//	/flaky/MS  the first request with an id fails, by turns with status 503 and
//	           by a connection that is closed without an answer
//	/hold/N    answers when N requests wait
package main

import (
	"fmt"
	"hash/fnv"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// truth is the header that names a request.
const truth = "X-Truth-Id"

func main() {
	l := &leaf{seen: map[string]bool{}, release: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/leaf/{ms}", l.leaf)
	mux.HandleFunc("/flaky/{ms}", l.flaky)
	mux.HandleFunc("/hold/{n}", l.hold)
	var servers sync.WaitGroup
	for _, addr := range os.Args[1:] {
		network := "tcp"
		if strings.HasPrefix(addr, "/") {
			network = "unix"
		}
		listener, err := net.Listen(network, addr)
		if err != nil {
			log.Fatal(err)
		}
		servers.Go(func() { log.Fatal(http.Serve(listener, mux)) })
	}
	servers.Wait()
}

type leaf struct {
	mu      sync.Mutex
	seen    map[string]bool // ids that /flaky was asked with
	waiting int
	release chan struct{} // closed when enough wait, then replaced
}

func (l *leaf) leaf(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.PathValue("ms"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
	fmt.Fprint(w, r.Header.Get(truth))
}

func (l *leaf) flaky(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(truth)
	l.mu.Lock()
	again := l.seen[id]
	l.seen[id] = true
	l.mu.Unlock()
	if again {
		l.leaf(w, r)
		return
	}
	h := fnv.New32a()
	fmt.Fprint(h, id)
	if h.Sum32()%2 == 0 {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	panic(http.ErrAbortHandler) // closes the connection, silently
}

func (l *leaf) hold(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	l.waiting++
	release := l.release
	if l.waiting >= n {
		close(release)
		l.waiting, l.release = 0, make(chan struct{})
	}
	l.mu.Unlock()
	select {
	case <-release:
		fmt.Fprint(w, r.Header.Get(truth))
	case <-r.Context().Done():
	}
}
