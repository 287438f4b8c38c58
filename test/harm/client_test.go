// SPDX-License-Identifier: Apache-2.0

//go:build integration

package harm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// answerLimit bounds one step: the agent may not delay an application for long.
const answerLimit = time.Minute

// clientReady is the line that says that all references were taken.
const clientReady = "client ready"

// tally is what the client role prints at its end.
type tally struct {
	Steps, Bytes int64
	Connections  int64
	Problems     []string // errors and differences, the first of them
	Bad          int64    // how many there were
}

// target is a server, as the client role is told of it: NAME,NETWORK,ADDRESS,FEATURES.
type target struct {
	name, network, addr string
	steps               []step
	reference           [][]byte // by step: all bytes that come back
}

func parseTarget(arg string) (*target, error) {
	parts := strings.Split(arg, ",")
	if len(parts) != 4 {
		return nil, fmt.Errorf("bad target %q", arg)
	}
	t := &target{name: parts[0], network: parts[1], addr: parts[2]}
	if t.name != "noise" {
		t.steps = script(strings.Contains(parts[3], "p"), strings.Contains(parts[3], "c"))
	}
	return t, nil
}

// client is the client role: it learns what each target answers, says so, and
// repeats and compares until SIGTERM. Then it prints a tally.
func client(args []string, out io.Writer) error {
	pace, err := time.ParseDuration(os.Getenv(paceVariable))
	if err != nil {
		return fmt.Errorf("pace: %w", err)
	}
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	var targets []*target
	for _, arg := range args {
		t, err := parseTarget(arg)
		if err == nil {
			err = t.learn()
		}
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	fmt.Fprintln(out, clientReady)
	c := &checker{end: make(chan struct{}), pace: pace}
	for _, t := range targets {
		for _, kept := range []bool{true, true, false} {
			c.workers.Go(func() { c.work(t, kept) })
		}
	}
	<-stopped
	close(c.end)
	c.workers.Wait()
	return json.NewEncoder(out).Encode(c.tally)
}

// dateField is what servers vary by themselves; its length is constant.
var dateField = regexp.MustCompile(`(?m)^(Date|Last-Modified): [^\r\n]*\r$`)

func masked(data []byte) []byte {
	return dateField.ReplaceAllFunc(data, func(field []byte) []byte { return bytes.Repeat([]byte("x"), len(field)) })
}

// learn takes the references: twice, since they have to be the same.
func (t *target) learn() error {
	for round := range 2 {
		conn, err := t.dial()
		if err != nil {
			return err
		}
		for i := range t.steps {
			data, err := t.steps[i].learn(conn)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", t.name, t.steps[i].name, err)
			}
			if round == 0 {
				t.reference = append(t.reference, data)
			} else if !bytes.Equal(data, t.reference[i]) {
				return fmt.Errorf("%s: %s: %d and %d bytes that differ without an agent", t.name, t.steps[i].name, len(t.reference[i]), len(data))
			}
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (t *target) dial() (net.Conn, error) {
	conn, err := net.DialTimeout(t.network, t.addr, answerLimit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return conn, conn.SetDeadline(time.Now().Add(answerLimit))
}

// learn sends the step and returns the bytes of its responses, as HTTP frames them.
func (s *step) learn(conn net.Conn) ([]byte, error) {
	var all bytes.Buffer
	sent := make(chan error, 1)
	go func() { sent <- s.send(conn) }()
	in := bufio.NewReader(io.TeeReader(conn, &all))
	for range s.responses {
		method := http.MethodGet
		if s.head {
			method = http.MethodHead
		}
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return nil, err
		}
		if resp.Close {
			return nil, fmt.Errorf("status %d closes the connection", resp.StatusCode)
		}
	}
	return masked(all.Bytes()), <-sent
}

// send writes the step, in pieces if it has to be.
func (s *step) send(conn net.Conn) error {
	size := s.pieces
	if size == 0 {
		size = len(s.wire)
	}
	for rest := s.wire; rest != ""; {
		n := min(size, len(rest))
		if _, err := io.WriteString(conn, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// checker compares until end is closed.
type checker struct {
	end     chan struct{}
	pace    time.Duration // between two steps of one connection
	workers sync.WaitGroup

	mu    sync.Mutex
	tally tally
}

// work keeps one connection busy, or opens one for every round.
func (c *checker) work(t *target, kept bool) {
	for c.alive() {
		conn, err := t.dial()
		if err != nil {
			c.problem(err)
			continue
		}
		if err := c.rounds(t, conn, kept); err != nil {
			c.problem(fmt.Errorf("%s: %w", t.name, err))
		}
		_ = conn.Close()
	}
}

func (c *checker) alive() bool {
	select {
	case <-c.end:
		return false
	case <-time.After(c.pace):
		return true
	}
}

// rounds repeats the script and ends the connection in order: not a byte may
// come that was not asked for.
func (c *checker) rounds(t *target, conn net.Conn, kept bool) error {
	c.count(1, 0, 0)
	if t.name == "noise" {
		if _, err := conn.Write([]byte{noiseMark}); err != nil {
			return err
		}
	}
	for again := true; again; again = kept && c.alive() {
		if err := c.round(t, conn); err != nil {
			return err
		}
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		return fmt.Errorf("at the end %d bytes too many: %w", len(rest), err)
	}
	return nil
}

func (c *checker) round(t *target, conn net.Conn) error {
	if t.name == "noise" {
		s := step{name: "noise", wire: noise(30_000), pieces: 1999}
		return c.compare(&s, []byte(s.wire), conn)
	}
	for i := range t.steps {
		if err := c.compare(&t.steps[i], t.reference[i], conn); err != nil {
			return err
		}
		if !c.alive() {
			return nil
		}
	}
	return nil
}

// compare sends the step and requires exactly the reference back.
func (c *checker) compare(s *step, reference []byte, conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- s.send(conn) }()
	data := make([]byte, len(reference))
	_, err := io.ReadFull(conn, data)
	if err != nil {
		_ = conn.Close() // ends the sending, too
		<-sent
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if at := difference(masked(data), reference); at >= 0 {
		return fmt.Errorf("%s: bytes differ from byte %d on: got %.60q, want %.60q", s.name, at, data[at:], reference[at:])
	}
	c.count(0, 1, int64(len(s.wire)+len(reference)))
	return nil
}

// difference returns where two slices of one length begin to differ, -1 if nowhere.
func difference(x, y []byte) int {
	for i := range x {
		if x[i] != y[i] {
			return i
		}
	}
	return -1
}

func (c *checker) count(connections, steps, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.Connections += connections
	c.tally.Steps += steps
	c.tally.Bytes += bytes
}

func (c *checker) problem(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tally.Bad++; len(c.tally.Problems) < 20 {
		c.tally.Problems = append(c.tally.Problems, fmt.Sprintf("%s %v", time.Now().Format("15:04:05.000"), err))
	}
}
