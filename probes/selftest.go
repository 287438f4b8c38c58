// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/event"
)

const (
	selfTestRequest = "GET /tracer-agent-self-test HTTP/1.1\r\n\r\n"
	selfTestTime    = 2 * time.Second
)

// selfTest sends a request to itself over loopback and requires both ends of
// it in the ring. Some kernels load and attach programs that then see nothing,
// or refuse at run time what they allowed before. Nothing else is selected yet.
func (p *Probes) selfTest() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil // no loopback to test with says nothing about the programs
	}
	defer l.Close()
	self := uint32(os.Getpid())
	if _, err := p.WatchProcess(self); err != nil {
		return err
	}
	defer p.DeleteProcess(self)
	if err := p.SetProcess(self, Verdict{State: Selected}); err != nil {
		return err
	}
	ring, err := p.DataRing()
	if err != nil {
		return err
	}
	defer ring.Close()
	if err := talkToSelf(l); err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	return p.expectSelfTest(ring)
}

// talkToSelf moves selfTestRequest from one socket of this process to another.
func talkToSelf(l net.Listener) error {
	out, err := net.DialTimeout("tcp", l.Addr().String(), selfTestTime)
	if err != nil {
		return err
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		return err
	}
	defer in.Close()
	deadline := time.Now().Add(selfTestTime)
	if err := errors.Join(out.SetDeadline(deadline), in.SetDeadline(deadline)); err != nil {
		return err
	}
	if _, err := io.WriteString(out, selfTestRequest); err != nil {
		return err
	}
	_, err = io.ReadFull(in, make([]byte, len(selfTestRequest)))
	return err
}

// expectSelfTest reads records until the request was seen sent and received.
func (p *Probes) expectSelfTest(ring *Ring) error {
	var seen [2]bool
	deadline := time.Now().Add(selfTestTime)
	for !seen[event.Send] || !seen[event.Recv] {
		rec, err := ring.Next(deadline)
		if err != nil {
			return fmt.Errorf("self-test: %w", err)
		}
		if rec == nil {
			return p.selfTestFailed(seen)
		}
		var e event.Data
		if kind, err := event.Peek(rec); err != nil || kind != event.KindData || e.Decode(rec) != nil {
			continue
		}
		seen[e.Dir] = seen[e.Dir] || bytes.Equal(e.Payload, []byte(selfTestRequest))
	}
	return nil
}

func (p *Probes) selfTestFailed(seen [2]bool) error {
	s, err := p.Stats()
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	return fmt.Errorf("self-test: a request over loopback was not reported (sent: %t, received: %t; connections without state: %d, read faults: %d)",
		seen[event.Send], seen[event.Recv], s.ConnFull, s.ReadFaults)
}
