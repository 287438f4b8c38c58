// SPDX-License-Identifier: Apache-2.0

// Command uring is an HTTP server for tests that moves all its bytes by
// io_uring: it prints its address, answers each request with "ok", and ends
// after as many requests as its argument says.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From include/uapi/linux/io_uring.h.
const (
	opSend    = 26
	opRecv    = 27
	enterGet  = 1
	offSQRing = 0
	offCQRing = 0x8000000
	offSQEs   = 0x10000000
	entries   = 4
	sizeofSQE = 64
)

type params struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
	_                                                    [3]uint32
	sq                                                   [10]uint32 // head, tail, ring_mask, ring_entries, flags, dropped, array, ...
	cq                                                   [10]uint32 // head, tail, ring_mask, ring_entries, overflow, cqes, ...
}

type ring struct {
	fd           int
	sq, cq, sqes []byte
	p            params
}

func open() (*ring, error) {
	r := &ring{}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, entries, uintptr(unsafe.Pointer(&r.p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	r.fd = int(fd)
	for _, m := range []struct {
		at   *[]byte
		off  int64
		size int
	}{
		{&r.sq, offSQRing, int(r.p.sq[6] + r.p.sqEntries*4)},
		{&r.cq, offCQRing, int(r.p.cq[5] + r.p.cqEntries*16)},
		{&r.sqes, offSQEs, int(r.p.sqEntries * sizeofSQE)},
	} {
		b, err := unix.Mmap(r.fd, m.off, m.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			return nil, fmt.Errorf("mmap: %w", err)
		}
		*m.at = b
	}
	return r, nil
}

func word(b []byte, off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&b[off])) }

// do runs one operation on a socket and returns its result.
func (r *ring) do(op byte, fd int, buf []byte) (int32, error) {
	tail := atomic.LoadUint32(word(r.sq, r.p.sq[1]))
	i := tail & *word(r.sq, r.p.sq[2])
	sqe := r.sqes[i*sizeofSQE : (i+1)*sizeofSQE]
	clear(sqe)
	sqe[0] = op
	*word(sqe, 4) = uint32(fd)
	*(*uint64)(unsafe.Pointer(&sqe[16])) = uint64(uintptr(unsafe.Pointer(&buf[0])))
	*word(sqe, 24) = uint32(len(buf))
	*word(r.sq, r.p.sq[6]+i*4) = i
	atomic.StoreUint32(word(r.sq, r.p.sq[1]), tail+1)
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, enterGet, 0, 0); errno != 0 {
		return 0, fmt.Errorf("io_uring_enter: %w", errno)
	}
	head := atomic.LoadUint32(word(r.cq, r.p.cq[0]))
	res := int32(*word(r.cq, r.p.cq[5]+(head&*word(r.cq, r.p.cq[2]))*16+8))
	atomic.StoreUint32(word(r.cq, r.p.cq[0]), head+1)
	runtime.KeepAlive(buf)
	return res, nil
}

func serve(requests int) error {
	r, err := open()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	buf := make([]byte, 4096)
	for range requests {
		c, err := l.(*net.TCPListener).AcceptTCP()
		if err != nil {
			return err
		}
		f, err := c.File() // blocking, of its own
		if err != nil {
			return err
		}
		if n, err := r.do(opRecv, int(f.Fd()), buf); err != nil || n <= 0 {
			return fmt.Errorf("recv: %d, %w", n, err)
		}
		if n, err := r.do(opSend, int(f.Fd()), answer); err != nil || int(n) != len(answer) {
			return fmt.Errorf("send: %d, %w", n, err)
		}
		f.Close()
		c.Close()
	}
	return nil
}

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = serve(n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
