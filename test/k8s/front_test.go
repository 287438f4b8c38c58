// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// front passes connections on to the API server and can cut them.
type front struct {
	c        *controlPlane
	listener net.Listener

	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func newFront(t *testing.T, c *controlPlane) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{c: c, listener: l}
	t.Cleanup(func() { l.Close(); f.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			f.pass(in)
		}
	}()
	return f
}

func (f *front) pass(in net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out, err := net.Dial("tcp", "127.0.0.1:"+f.c.port)
	if f.isCut || err != nil {
		in.Close()
		return
	}
	f.conns = append(f.conns, in, out)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			io.Copy(pair[0], pair[1])
			pair[0].Close()
		}()
	}
}

func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isCut = true
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

func (f *front) mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isCut = false
}

// kubeconfig is the agent's, through the front.
func (f *front) kubeconfig() string {
	addr := f.listener.Addr().String()
	return f.c.kubeconfigAt(agentToken, addr[strings.LastIndexByte(addr, ':')+1:])
}
