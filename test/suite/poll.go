// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"net"
	"testing"
	"time"
)

// Poll calls cond until it returns true; it fails the test after limit.
func Poll(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("deadline (%s) passed: %s", limit, what)
		}
	}
}

// listenLimit is how long a program may take until it listens: a Java virtual
// machine on a busy machine takes long.
const listenLimit = time.Minute

// WaitListening blocks until addr accepts connections; it fails the test once p
// has ended.
func WaitListening(t testing.TB, p *Process, network, addr string) {
	t.Helper()
	Poll(t, listenLimit, p.Name+" listens on "+addr, func() bool {
		if !p.Alive() {
			t.Fatalf("%s ended: %v\n%s", p.Name, p.Err(), Tail(p.Out.String(), 4000))
		}
		conn, err := net.Dial(network, addr)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}
