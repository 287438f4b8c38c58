// SPDX-License-Identifier: Apache-2.0

// Command witness is watched by the tests of package gobin. Given what Inspect
// says of its own executable, it follows the same steps as the kernel programs
// on itself, and compares where they lead with what Go says. It prints what
// differs and exits with 1. It is built with every Go since 1.17.
package main

import (
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

var (
	tlsOffset  = flag.Int64("tls", 0, "Info.TLS")
	goid       = flag.Uint64("goid", 0, "GLayout.Goid")
	parentGoid = flag.Uint64("parent", 0, "GLayout.ParentGoid")
	connAt     = flag.Uint64("conn", 0, "ConnLayout.Conn")
	sysfd      = flag.Uint64("sysfd", 0, "ConnLayout.Sysfd")
	itabHash   = flag.Uint64("itabhash", 0, "ConnLayout.ItabHash")
	tcpHash    = flag.Uint64("tcp", 0, "ConnLayout.TCPConn")
	unixHash   = flag.Uint64("unix", 0, "ConnLayout.UnixConn")
	tlsHash    = flag.Uint64("tlsconn", 0, "ConnLayout.TLSConn")
)

func main() {
	flag.Parse()
	problems := checkGoroutines()
	problems = append(problems, checkPlain("tcp", "127.0.0.1:0", *tcpHash)...)
	problems = append(problems, checkPlain("unix", "", *unixHash)...)
	problems = append(problems, checkTLS()...)
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// word returns the 64-bit number at an address.
func word(addr uint64) uint64 {
	return **(**uint64)(unsafe.Pointer(&addr))
}

// checkGoroutines compares ids in goroutines that start one another.
func checkGoroutines() (problems []string) {
	done := make(chan struct{})
	go func() {
		mine, _, bad := currentGoroutine()
		problems = append(problems, bad...)
		go func() {
			defer close(done)
			_, parent, bad := currentGoroutine()
			problems = append(problems, bad...)
			if *parentGoid != 0 && parent != mine {
				problems = append(problems, fmt.Sprintf("goroutine %d has the parent %d", mine, parent))
			}
		}()
	}()
	<-done
	return problems
}

// currentGoroutine reads the ids of the goroutine that calls it from memory,
// beginning at the FS base of its thread, and compares its own with the id in
// its stack trace.
func currentGoroutine() (id, parent uint64, problems []string) {
	const archPrctl, getFS = 158, 0x1003
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var base uint64
	if _, _, err := syscall.RawSyscall(archPrctl, getFS, uintptr(unsafe.Pointer(&base)), 0); err != 0 {
		return 0, 0, []string{"arch_prctl: " + err.Error()}
	}
	g := word(base + uint64(*tlsOffset))
	id = word(g + *goid)
	if sp := uint64(uintptr(unsafe.Pointer(&base))); sp < word(g) || sp >= word(g+8) {
		problems = append(problems, fmt.Sprintf("goroutine %d: the stack pointer is not in its stack", id))
	}
	if *parentGoid != 0 {
		parent = word(g + *parentGoid)
	}
	trace := make([]byte, 64)
	fields := bytes.Fields(trace[:runtime.Stack(trace, false)]) // "goroutine 18 [running]:"
	if truth, err := strconv.ParseUint(string(fields[1]), 10, 64); err != nil || truth != id {
		problems = append(problems, fmt.Sprintf("goroutine %s has the id %d in memory", fields[1], id))
	}
	return id, parent, problems
}

// checkPlain makes a request in clear text and follows the connection that it
// leaves in the pool.
func checkPlain(network, address string, hash uint64) []string {
	if network == "unix" {
		dir, err := os.MkdirTemp("", "witness")
		if err != nil {
			return []string{err.Error()}
		}
		defer os.RemoveAll(dir)
		address = dir + "/socket"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return []string{err.Error()}
	}
	defer l.Close()
	go http.Serve(l, http.NotFoundHandler())
	var dialed net.Conn
	client := &http.Transport{Dial: func(_, _ string) (conn net.Conn, err error) {
		dialed, err = net.Dial(network, l.Addr().String())
		return dialed, err
	}}
	pc, err := pooled(client, "http://witness.test/")
	if err != nil {
		return []string{network + ": " + err.Error()}
	}
	conn := pc + *connAt
	if got := word(word(conn)+*itabHash) & 0xffffffff; got != hash {
		return []string{fmt.Sprintf("%s: the hash is %#x", network, got)}
	}
	return compareDescriptor(word(word(conn+8)), dialed)
}

// checkTLS does the same over TLS, where a step more is needed.
func checkTLS() []string {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	var dialed net.Conn
	client := server.Client().Transport.(*http.Transport)
	client.Dial = func(network, address string) (conn net.Conn, err error) {
		dialed, err = net.Dial(network, address)
		return dialed, err
	}
	client.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	pc, err := pooled(client, server.URL)
	if err != nil {
		return []string{"TLS: " + err.Error()}
	}
	conn := pc + *connAt
	if got := word(word(conn)+*itabHash) & 0xffffffff; got != *tlsHash {
		return []string{fmt.Sprintf("TLS: the hash is %#x", got)}
	}
	inner := word(conn + 8)
	if got := word(word(inner)+*itabHash) & 0xffffffff; got != *tcpHash {
		return []string{fmt.Sprintf("TLS: the hash of the connection below is %#x", got)}
	}
	return compareDescriptor(word(word(inner+8)), dialed)
}

// pooled makes a request and returns the address of the net/http.persistConn
// that the transport keeps afterwards.
func pooled(t *http.Transport, url string) (uint64, error) {
	resp, err := (&http.Client{Transport: t}).Get(url)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<10)
	for err == nil {
		_, err = resp.Body.Read(buf)
	}
	resp.Body.Close()
	for { // until another goroutine has returned the connection to the pool
		if pc := firstIdle(t); pc != 0 {
			return pc, nil
		}
		runtime.Gosched()
	}
}

func firstIdle(t *http.Transport) uint64 {
	transport := reflect.ValueOf(t).Elem()
	mu := (*sync.Mutex)(unsafe.Pointer(transport.FieldByName("idleMu").UnsafeAddr()))
	mu.Lock()
	defer mu.Unlock()
	idle := transport.FieldByName("idleConn")
	if idle.Len() == 0 {
		return 0
	}
	return uint64(idle.MapIndex(idle.MapKeys()[0]).Index(0).Pointer())
}

// compareDescriptor compares the descriptor in a net.netFD with that of conn.
func compareDescriptor(netFD uint64, conn net.Conn) (problems []string) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return []string{err.Error()}
	}
	err = raw.Control(func(fd uintptr) {
		if got := word(netFD + *sysfd); got != uint64(fd) {
			problems = append(problems, fmt.Sprintf("%s: descriptor %d is %d in memory", conn.RemoteAddr().Network(), fd, got))
		}
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}
