// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
)

// Ports hands out listening ports of one block below the ephemeral range, so
// that a test can select the block and leave others unselected. Safe for
// concurrent use.
type Ports struct {
	mu       sync.Mutex
	lo, hi   int // the block
	next     int // to be taken
	reserved int // so many at the end are not
}

const portBlock = 50

// NewPorts claims a block at random, in which nothing listens now and which no
// other suite on this machine claims before the test has ended: an abstract
// socket is the claim.
func NewPorts(t testing.TB) *Ports {
	t.Helper()
	for range 100 {
		lo := 10000 + rand.IntN(400)*portBlock
		claim, err := net.Listen("unix", fmt.Sprintf("@tracer-it-ports-%d", lo))
		if err != nil {
			continue
		}
		t.Cleanup(func() { claim.Close() })
		if blockFree(lo) {
			return &Ports{lo: lo, hi: lo + portBlock - 1, next: lo}
		}
	}
	t.Fatal("no free block of ports")
	return nil
}

func blockFree(lo int) bool {
	for p := lo; p < lo+portBlock; p++ {
		if !portFree(p) {
			return false
		}
	}
	return true
}

// portFree binds and never listens: a process that listens on a selected port,
// be it for a moment, is selected. A child that is forked meanwhile would keep
// the port bound until it executes its program.
func portFree(p int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return false
	}
	return syscall.Bind(fd, &syscall.SockaddrInet6{Port: p}) == nil
}

// Selector returns the block as an argument of --port.
func (p *Ports) Selector() string { return fmt.Sprintf("%d-%d", p.lo, p.hi) }

// Take returns a port of the block that nobody listens on. Connections of it may
// linger (TIME_WAIT).
func (p *Ports) Take(t testing.TB) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.next <= p.hi-p.reserved {
		port := p.next
		p.next++
		if portFree(port) {
			return port
		}
	}
	t.Fatal("block of ports is used up")
	return 0
}

// Addr returns the address of 127.0.0.1 with a port that it takes.
func (p *Ports) Addr(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", p.Take(t))
}

// Reserve returns the first of n ports in a row, which Take will not return.
func (p *Ports) Reserve(t testing.TB, n int) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved += n
	first := p.hi - p.reserved + 1
	if first < p.next {
		t.Fatal("block of ports is used up")
	}
	return first
}
