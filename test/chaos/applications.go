// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed forking.py
var forkingServer string

// body is what every server of the chaos runs answers to a request for target.
func body(target string) string { return strings.Repeat(target+"\n", 4) }

// serve is the server role: "serve ADDRESS".
func serve(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: chaos serve ADDRESS")
	}
	server := http.Server{Addr: args[0], Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, body(r.RequestURI))
	})}
	return server.ListenAndServe()
}

// count is what a client did and saw.
type count struct {
	Sent   int64 // requests
	Wrong  int64 // errors and wrong answers
	First  string
	Opened int64 // connections
}

func (c *count) add(other count) {
	c.Sent += other.Sent
	c.Wrong += other.Wrong
	c.Opened += other.Opened
	if c.First == "" {
		c.First = other.First
	}
}

func (c *count) wrong(err error) {
	c.Wrong++
	if c.First == "" {
		c.First = err.Error()
	}
}

// answerLimit bounds one exchange.
const answerLimit = time.Minute

// client is one connection.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, answerLimit)
	if err != nil {
		return nil, err
	}
	return &client{conn, bufio.NewReaderSize(conn, 1024)}, nil
}

// get sends a request and compares the answer.
func (c *client) get(target string) error {
	if err := c.conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: chaos\r\nUser-Agent: chaos\r\n\r\n", target); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || string(got) != body(target) {
		return fmt.Errorf("%s: status %d, %.80q", target, resp.StatusCode, got)
	}
	return nil
}

// load keeps connections busy until the end: at rate requests a second in
// total, or without a pause if that is 0.
func load(addr string, connections int, rate float64, end <-chan time.Time) count {
	done := make(chan struct{})
	go func() { <-end; close(done) }()
	var mu sync.Mutex
	var total count
	var workers sync.WaitGroup
	for i := range connections {
		workers.Go(func() {
			one := busy(addr, fmt.Sprintf("/load/%d", i), rate/float64(connections), done)
			mu.Lock()
			defer mu.Unlock()
			total.add(one)
		})
	}
	workers.Wait()
	return total
}

func busy(addr, target string, rate float64, done <-chan struct{}) (n count) {
	c, err := dial(addr)
	if err != nil {
		n.wrong(err)
		return n
	}
	defer c.conn.Close()
	n.Opened++
	var pace <-chan time.Time
	if rate > 0 {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer ticker.Stop()
		pace = ticker.C
	}
	for due(pace, done) {
		n.Sent++
		if err := c.get(target); err != nil {
			n.wrong(err)
			break
		}
	}
	return n
}

// due waits for the pace, if there is one, and says whether it is not done.
func due(pace <-chan time.Time, done <-chan struct{}) bool {
	if pace != nil {
		select {
		case <-pace:
		case <-done:
		}
	}
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// each makes requests of one connection each, rate a second, at most parallel
// at a time.
func each(addr string, requests, parallel int, rate float64) count {
	var mu sync.Mutex
	var total count
	var workers sync.WaitGroup
	var next atomic.Int64
	start := time.Now()
	for range parallel {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(requests); i = next.Add(1) - 1 {
				time.Sleep(time.Until(start.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
				one := single(addr, fmt.Sprintf("/each/%d", i))
				mu.Lock()
				total.add(one)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return total
}

func single(addr, target string) (n count) {
	c, err := dial(addr)
	if err != nil {
		n.wrong(err)
		return n
	}
	defer c.conn.Close()
	n.Opened, n.Sent = 1, 1
	if err := c.get(target); err != nil {
		n.wrong(err)
	}
	return n
}

// crowd is the client role of many connections: "crowd ADDRESS CONNECTIONS". It
// opens them with a request on each, says so, waits for SIGUSR1, sends another on
// each, prints its count, and waits for SIGTERM with all of them open.
func crowd(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: chaos crowd ADDRESS CONNECTIONS")
	}
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	again, end := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGUSR1)
	signal.Notify(end, syscall.SIGTERM)
	members := make([]*client, size)
	total := inParallel(size, func(i int) (n count) {
		var err error
		if members[i], err = dial(args[0]); err != nil {
			n.wrong(err)
			return n
		}
		n = members[i].ask(i)
		n.Opened = 1
		return n
	})
	fmt.Println("open")
	<-again
	total.add(inParallel(size, func(i int) (n count) {
		if members[i] == nil {
			return n
		}
		return members[i].ask(i)
	}))
	if err := json.NewEncoder(os.Stdout).Encode(total); err != nil {
		return err
	}
	<-end
	return nil
}

func (c *client) ask(i int) (n count) {
	n.Sent++
	if err := c.get(fmt.Sprintf("/crowd/%d", i)); err != nil {
		n.wrong(err)
	}
	return n
}

// inParallel calls f for 0 to size-1 from a few goroutines and adds up.
func inParallel(size int, f func(int) count) count {
	var mu sync.Mutex
	var total count
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(size); i = next.Add(1) - 1 {
				one := f(int(i))
				mu.Lock()
				total.add(one)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return total
}
