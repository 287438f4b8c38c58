// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// listeners knows the listening TCP sockets on named ports, by network
// namespace. One lives for one pass over the processes: sockets that begin to
// listen later cause an event.
type listeners struct {
	heard []uint16 // if not nil, these and nothing is read, should the kernel's entry and the program allow
	least State    // the entry's least state for which heard is believed
	stack uint64   // of the program of which heard is told
	named map[uint16]portMask
	all   bool                         // take every port, named or not
	byNS  map[string]map[uint64]uint16 // inode → port
	found map[instance][]uint16        // of processes that were looked at
}

// instance tells a program instance from others that its process has or had, and
// from those of other processes.
type instance struct {
	pid          uint32
	start, stack uint64 // see procStat
}

func newListeners(named map[uint16]portMask) *listeners {
	return &listeners{named: named, byNS: map[string]map[uint64]uint16{}, found: map[instance][]uint16{}}
}

// ports returns the named ports on which p listens, in rising order. What
// cannot be read counts as not listening. Reading net/tcp makes the kernel walk
// its whole hash of connections, milliseconds, so that is done last.
func (l *listeners) ports(p *process) []uint16 {
	if l.heard != nil {
		return l.heard
	}
	if len(l.named) == 0 && !l.all {
		return nil
	}
	key := instance{p.pid, p.stat.start, p.stat.stack}
	ports, known := l.found[key]
	if !known {
		ports = l.find(p)
		l.found[key] = ports
	}
	return ports
}

func (l *listeners) find(p *process) []uint16 {
	ns, err := p.netns()
	if err != nil {
		return nil
	}
	listening, known := l.byNS[ns]
	if known && len(listening) == 0 {
		return nil
	}
	inodes, tcp := sockets(p.fs.path(p.pid, "fd"), known)
	if !tcp {
		return nil
	}
	if !known {
		listening = l.read(p, ns)
	}
	var ports []uint16
	for _, inode := range inodes {
		if port, ok := listening[inode]; ok {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// read reads the listening sockets of p's network namespace.
func (l *listeners) read(p *process, ns string) map[uint64]uint16 {
	sockets := map[uint64]uint16{}
	keep := func(inode uint64, port uint16) {
		if _, ok := l.named[port]; ok || l.all {
			sockets[inode] = port
		}
	}
	err := errors.Join(
		readListeners(p.fs.path(p.pid, "net/tcp"), keep),
		readListeners(p.fs.path(p.pid, "net/tcp6"), keep))
	if err == nil {
		l.byNS[ns] = sockets
	}
	return sockets
}

// readListeners visits the listening sockets of a net/tcp or net/tcp6 file. A
// host without IPv6 has no net/tcp6, which is no error.
func readListeners(path string, visit func(inode uint64, port uint16)) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return parseListeners(file, visit)
}

var errBadTCP = errors.New("malformed net/tcp line")

// Columns of net/tcp, from 0, and the state of a listening socket (proc(5),
// TCP_LISTEN of the kernel).
const (
	tcpLocal  = 1
	tcpState  = 3
	tcpInode  = 9
	tcpListen = "0A"
)

func parseListeners(r io.Reader, visit func(inode uint64, port uint16)) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for first := true; ; first = false {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 && !first {
			if err := parseListener(line, visit); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read net/tcp: %w", err)
		}
	}
}

// parseListener takes one line. Lines of other states are left after the state.
func parseListener(line []byte, visit func(inode uint64, port uint16)) error {
	var port uint64
	column := -1
	for field := range bytes.FieldsSeq(line) {
		column++
		var err error
		switch column {
		case tcpLocal:
			_, hex, _ := bytes.Cut(field, []byte{':'})
			port, err = strconv.ParseUint(string(hex), 16, 16)
		case tcpState:
			if string(field) != tcpListen {
				return nil
			}
		case tcpInode:
			inode, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return errBadTCP
			}
			visit(inode, uint16(port))
			return nil
		}
		if err != nil {
			return errBadTCP
		}
	}
	return errBadTCP
}

// sockets returns the inodes of the sockets in an fd directory, and whether a TCP
// socket may be among them, which is not asked for if tcp says so already. It stops
// silently where the process ends or may not be looked at.
func sockets(dir string, tcp bool) ([]uint64, bool) {
	fds, err := os.Open(dir)
	if err != nil {
		return nil, false
	}
	defer fds.Close()
	var inodes []uint64
	var buf [64]byte
	for {
		names, err := fds.Readdirnames(256)
		for _, name := range names {
			n, err := unix.Readlinkat(int(fds.Fd()), name, buf[:])
			if err != nil {
				continue
			}
			if inode, ok := socketInode(string(buf[:n])); ok {
				inodes = append(inodes, inode)
				tcp = tcp || maybeTCP(dir+"/"+name)
			}
		}
		if err != nil {
			return inodes, tcp
		}
	}
}

// maybeTCP asks the socket filesystem for the protocol's name, "TCP", "TCPv6",
// "UNIX-STREAM" and so on. Services and their children often hold a unix socket.
func maybeTCP(fd string) bool {
	var buf [32]byte
	n, err := unix.Getxattr(fd, "system.sockprotoname", buf[:])
	return err != nil || strings.Contains(string(buf[:n]), "TCP")
}

// socketInode parses "socket:[123]".
func socketInode(link string) (uint64, bool) {
	rest, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	rest, ok = strings.CutSuffix(rest, "]")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(rest, 10, 64)
	return inode, err == nil
}
