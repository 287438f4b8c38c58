// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Idle is a number of connections that stay open.
type Idle struct{ conns []*conn }

// connsPerAddress is how many connections come from one address of loopback: fewer
// than half of the ports that the kernel gives out. It tries every other port first
// (__inet_hash_connect), and looks at all of those in vain once they are in use.
const connsPerAddress = 10_000

// usedFiles is the share of the files that a process may have open. nginx begins
// to close idle connections when fifteen sixteenths are in use.
const usedFiles = 0.9

// OpenIdle opens n connections to addr on loopback, or as many as a process may
// have files open here, and sends a request on each.
func OpenIdle(addr string, n int) (*Idle, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("limit of open files: %w", err)
	}
	idle := &Idle{}
	for i := range min(n, int(float64(limit.Cur)*usedFiles)) {
		from := net.Dialer{
			LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/connsPerAddress))},
			Timeout:   answerTimeout, Control: latePort,
		}
		tcp, err := from.Dial("tcp", addr)
		if err != nil {
			idle.Close()
			return nil, fmt.Errorf("open idle connection %d: %w", i, err)
		}
		idle.conns = append(idle.conns, adopt(addr, tcp))
	}
	return idle, idle.Touch()
}

// latePort has the kernel choose the port at connect(), when it knows what the
// other end is: at bind() it would have to be one that nobody uses.
func latePort(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1))
	})
	return errors.Join(err, failed)
}

// Len is how many connections there are.
func (i *Idle) Len() int { return len(i.conns) }

// Touch sends a request on each connection, one after the other.
func (i *Idle) Touch() error {
	for n, c := range i.conns {
		if c.tcp == nil {
			return fmt.Errorf("idle connection %d was closed", n)
		}
		if err := c.get("/idle"); err != nil {
			return fmt.Errorf("idle connection %d: %w", n, err)
		}
	}
	return nil
}

// Close closes all of them.
func (i *Idle) Close() {
	for _, c := range i.conns {
		c.close()
	}
}
