// SPDX-License-Identifier: Apache-2.0

//go:build integration

package probes

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/event"
)

// TestStandInsRunBehind loads programs with stand-ins, whether this kernel needs
// them or not. Were a stand-in to run before the program that it stands in for,
// every call but the first would be told twice.
func TestStandInsRunBehind(t *testing.T) {
	types, kernel := loadingTypes(t)
	opts := Options{RequestHead: 8192, ResponseHead: 2048, RingBytes: 1 << 20, Processes: 100, Connections: 100,
		storage: tryStorage(types, kernel) == nil, standIns: true}
	for _, b := range Backends() {
		t.Run(string(b), func(t *testing.T) {
			p, err := open(b, opts, types, kernel)
			if err != nil && rejected(err) {
				t.Fatalf("%+v", err)
			}
			if err != nil {
				t.Skipf("this kernel does not take the backend: %v", err)
			}
			defer p.Close()
			for _, network := range []string{"tcp", "unix"} {
				t.Run(network, func(t *testing.T) { toldOnce(t, p, network) })
			}
			s, err := p.Stats()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("stood in %d times, missed %d and %d ends", s.StoodIn, s.Missed, s.MissedEnds)
		})
	}
}

// toldOnce has this process send messages to itself, and expects each to be told
// once on either side, at the position behind the last.
func toldOnce(t *testing.T, p *Probes, network string) {
	const messages = 100
	self := uint32(os.Getpid())
	if _, err := p.WatchProcess(self); err != nil {
		t.Fatal(err)
	}
	defer p.DeleteProcess(self)
	if err := p.SetProcess(self, Verdict{State: Selected}); err != nil {
		t.Fatal(err)
	}
	ring, err := p.DataRing()
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()

	sent := exchange(t, network, messages)
	next := map[uint64]uint64{} // by connection: where its next message begins
	for told := 0; told < 2*messages; {
		rec, err := ring.Next(time.Now().Add(selfTestTime))
		if err != nil || rec == nil {
			t.Fatalf("%d of %d records: %v", told, 2*messages, err)
		}
		var e event.Data
		if kind, err := event.Peek(rec); err != nil || kind != event.KindData || e.Decode(rec) != nil {
			continue
		}
		if e.Pos != next[e.Conn] || int(e.Total) != len(sent) {
			t.Fatalf("record %d: %d bytes at %d, want %d at %d", told, e.Total, e.Pos, len(sent), next[e.Conn])
		}
		next[e.Conn] += uint64(e.Total)
		told++
	}
	if len(next) != 2 {
		t.Errorf("%d connections, want 2", len(next))
	}
}

// exchange sends one message n times from one end of a connection to the other, and returns it.
func exchange(t *testing.T, network string, n int) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	message := fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", network)
	for range n {
		if _, err := io.WriteString(out, message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(in, make([]byte, len(message))); err != nil {
			t.Fatal(err)
		}
	}
	return message
}
