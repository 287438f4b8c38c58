// SPDX-License-Identifier: Apache-2.0

// Command goservice is the Go service under test. It is one file of the
// standard library alone, so that every Go since 1.17 builds it.
//
//	goservice LISTEN LEAF...
//
// serves /do/MODE/CALLS/WAIT/LEAFTIME: it makes CALLS calls to the leaves,
// each after WAIT milliseconds, and answers with what they said, joined by
// commas. The mode says who makes them:
//
//	seq       the handler, one after the other
//	par       a goroutine each
//	nest      a goroutine that was started by one that the handler started
//	retry     the handler, and the leaf fails the first attempt
//	workers   long-lived goroutines that some earlier handler started
//	detached  a goroutine each that outlives the request; the answer is empty
//	batch     a goroutine of its own, once for all requests that wait
//	ports     the handler, on connections from eight local ports, the first of
//	          them $LOCAL_PORT, which are used again and again
//	wrapped   the handler, on connections that are no plain *net.TCPConn
//	hold      the handler; the leaf answers when LEAFTIME requests wait
//
// The fields "name: value" that the request lists in x-send go with each call.
// With $BACKGROUND set it also makes calls that serve no request, all the time.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// truth is the header that names a request.
const truth = "X-Truth-Id"

func main() {
	s := newService(os.Args[2:])
	go s.batch()
	if os.Getenv("BACKGROUND") != "" {
		go s.background()
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, s))
}

type service struct {
	leaves  []string
	pooled  *http.Client // keeps connections
	ported  *http.Client // uses few local ports
	wrapped *http.Client // keeps connections of a type of its own
	jobs    chan func()
	start   sync.Once // of the workers
	batches chan chan string
}

func newService(leaves []string) *service {
	return &service{
		leaves:  leaves,
		pooled:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DialContext: dialLeaf}},
		ported:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: new(dialer).dial}},
		wrapped: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DialContext: wrap}},
		jobs:    make(chan func()),
		batches: make(chan chan string),
	}
}

// batch gathers what waits for a moment and makes one call for all of it.
func (s *service) batch() {
	own := &work{service: s, leafTime: 2, id: "batch"}
	for n := 0; ; n++ {
		waiting := []chan string{<-s.batches}
		moment := time.After(3 * time.Millisecond)
		for more := true; more; {
			select {
			case w := <-s.batches:
				waiting = append(waiting, w)
			case <-moment:
				more = false
			}
		}
		said, err := own.call(n)
		if err != nil {
			said = err.Error()
		}
		for _, w := range waiting {
			w <- said
		}
	}
}

// background makes calls that serve no request.
func (s *service) background() {
	own := &work{service: s, wait: 7, leafTime: 1, id: "background"}
	for n := 0; ; n++ {
		if _, err := own.call(n); err != nil {
			log.Print(err)
		}
	}
}

// work is one request.
type work struct {
	*service
	mode           string
	wait, leafTime int
	id             string
	send           []string // further fields of each call
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) != 6 || parts[1] != "do" {
		http.NotFound(w, r)
		return
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(parts[3+i])
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		numbers[i] = n
	}
	job := &work{service: s, mode: parts[2], wait: numbers[1], leafTime: numbers[2], id: r.Header.Get(truth), send: r.Header["X-Send"]}
	said, err := job.calls(numbers[0])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprint(w, strings.Join(said, ","))
}

// calls makes n calls in the job's mode and returns what the leaves said.
func (w *work) calls(n int) ([]string, error) {
	if w.mode == "batch" {
		answer := make(chan string)
		w.batches <- answer
		return []string{<-answer}, nil
	}
	said, errs := make([]string, n), make([]error, n)
	var pending sync.WaitGroup
	pending.Add(n)
	for i := 0; i < n; i++ {
		i := i
		call := func() {
			defer pending.Done()
			said[i], errs[i] = w.call(i)
		}
		switch w.mode {
		case "par", "detached":
			go call()
		case "nest":
			go func() { go call() }()
		case "workers":
			w.start.Do(w.startWorkers)
			w.jobs <- call
		default:
			call()
		}
	}
	if w.mode == "detached" {
		return nil, nil
	}
	pending.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return said, nil
}

// startWorkers makes the first handler that needs workers their ancestor.
func (w *work) startWorkers() {
	for i := 0; i < 8; i++ {
		go func() {
			for job := range w.jobs {
				job()
			}
		}()
	}
}

// call asks a leaf, up to three times.
func (w *work) call(n int) (string, error) {
	time.Sleep(time.Duration(w.wait) * time.Millisecond)
	var err error
	for i := 0; i < 3; i++ {
		var said string
		if said, err = w.attempt(n); err == nil {
			return said, nil
		}
	}
	return "", err
}

func (w *work) attempt(n int) (string, error) {
	path := "leaf"
	switch w.mode {
	case "retry":
		path = "flaky"
	case "hold":
		path = "hold"
	}
	leaf := w.leaves[n%len(w.leaves)]
	if strings.HasPrefix(leaf, "/") {
		leaf = hex.EncodeToString([]byte(leaf)) + unixHost
	}
	url := fmt.Sprintf("http://%s/%s/%d", leaf, path, w.leafTime)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	for _, field := range w.send {
		if colon := strings.Index(field, ": "); colon > 0 {
			req.Header.Add(field[:colon], field[colon+2:])
		}
	}
	req.Header.Set(truth, fmt.Sprintf("%s.%d", w.id, n))
	client := w.pooled
	switch w.mode {
	case "ports":
		client = w.ported
	case "wrapped":
		client = w.wrapped
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(url + ": " + resp.Status)
	}
	return string(body), err
}

// unixHost ends the host names of leaves on unix sockets; before it stands the
// path in hexadecimal.
const unixHost = ".unix.invalid"

func dialLeaf(ctx context.Context, network, addr string) (net.Conn, error) {
	var dial net.Dialer
	at := strings.Index(addr, unixHost)
	if at < 0 {
		return dial.DialContext(ctx, network, addr)
	}
	path, err := hex.DecodeString(addr[:at])
	if err != nil {
		return nil, err
	}
	return dial.DialContext(ctx, "unix", string(path))
}

// wrap hides what a connection is, as programs do that count or log its bytes.
func wrap(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return struct{ net.Conn }{conn}, err
}

// dialer uses eight local ports again and again. A connection is closed by a
// reset, so that its port is free at once.
type dialer struct{ turn uint32 }

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	first, err := strconv.Atoi(os.Getenv("LOCAL_PORT"))
	if err != nil {
		return nil, err
	}
	for i := 0; i < 1000; i++ {
		port := first + int(atomic.AddUint32(&d.turn, 1)%8)
		dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, Control: reuse}
		var conn net.Conn
		if conn, err = dial.DialContext(ctx, network, addr); err == nil {
			return conn, conn.(*net.TCPConn).SetLinger(0)
		}
		time.Sleep(time.Millisecond) // the port is in use to this address
	}
	return nil, err
}

func reuse(_, _ string, c syscall.RawConn) error {
	var set error
	if err := c.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}); err != nil {
		return err
	}
	return set
}
