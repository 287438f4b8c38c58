// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unsafe"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/redact"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// recycle gives spans back at once, as the queue does once they are sent.
type recycle struct{ n int }

func (r *recycle) Offer(s *export.Span) bool {
	r.n++
	export.PutSpan(s)
	return true
}

// record is the bytes of a Data record as the kernel writes it.
func record(tb testing.TB, d event.Dir, payload string) []byte {
	w := event.WireData{
		Conn: 1, Total: uint32(len(payload)), Captured: uint32(len(payload)),
		Tgid: 100, Tid: 100, Flags: event.DataHead | event.DataTurn, Dir: uint16(d),
	}
	w.Hdr = event.Header{Version: event.Version, Kind: event.KindData, Size: uint32(unsafe.Sizeof(w)) + w.Captured}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, &w); err != nil {
		tb.Fatal(err)
	}
	b.WriteString(payload)
	return b.Bytes()
}

// roundTrip is a keep-alive connection whose exchanges are made of two records each.
type roundTrip struct {
	table    *Table
	sink     *recycle
	records  [2][]byte // by event.Dir
	pos      [2]uint64
	now      uint64
	size     [2]uint64
	turn     uint16
	received event.Data
}

func newRoundTrip(tb testing.TB) *roundTrip {
	const request = "GET /index.html HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
	const response = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
	sampler, err := spanbuilder.NewSampler("parentbased_traceidratio", 1)
	if err != nil {
		tb.Fatal(err)
	}
	r := &roundTrip{sink: &recycle{}, now: 1e9}
	b, err := spanbuilder.New(spanbuilder.Config{Sampler: sampler, Secrets: redact.DefaultNames()}, &spanbuilder.Clock{}, r.sink)
	if err != nil {
		tb.Fatal(err)
	}
	target := &spanbuilder.Target{Resource: resource.Empty()}
	r.table = NewTable(testLimits(), b, newSimKernel(8192, 2048), func(uint32) *spanbuilder.Target { return target })
	r.records = [2][]byte{record(tb, event.Recv, request), record(tb, event.Send, response)}
	r.size = [2]uint64{uint64(len(request)), uint64(len(response))}
	r.table.Conn(&event.Conn{Ktime: r.now, ID: 1, TGID: 100, TID: 100, Family: event.FamilyInet, Local: local, Remote: remote})
	return r
}

// exchange takes the two records of the next exchange from bytes to span.
func (r *roundTrip) exchange(tb testing.TB) {
	var w event.WireData
	for d, b := range r.records {
		r.now += 1000
		binary.LittleEndian.PutUint64(b[unsafe.Offsetof(w.Hdr)+unsafe.Offsetof(w.Hdr.Ktime):], r.now)
		binary.LittleEndian.PutUint64(b[unsafe.Offsetof(w.Pos):], r.pos[d])
		binary.LittleEndian.PutUint64(b[unsafe.Offsetof(w.OtherPos):], r.pos[1-d])
		r.turn++
		binary.LittleEndian.PutUint16(b[unsafe.Offsetof(w.Turn):], r.turn)
		r.pos[d] += r.size[d]
		if _, err := event.Peek(b); err != nil {
			tb.Fatal(err)
		}
		if err := r.received.Decode(b); err != nil {
			tb.Fatal(err)
		}
		r.table.Data(&r.received)
	}
}

// BenchmarkExchange is the whole way of an exchange: two records in, one span offered.
func BenchmarkExchange(b *testing.B) {
	r := newRoundTrip(b)
	b.ReportAllocs()
	for b.Loop() {
		r.exchange(b)
	}
	if r.sink.n != b.N {
		b.Fatalf("%d spans of %d exchanges", r.sink.n, b.N)
	}
}

// TestAllocs guards what an exchange costs.
func TestAllocs(t *testing.T) {
	r := newRoundTrip(t)
	if n := testing.AllocsPerRun(1000, func() { r.exchange(t) }); n > 3 {
		t.Errorf("%v allocations per exchange, want at most 3", n)
	}
	if r.sink.n < 1000 {
		t.Errorf("%d spans", r.sink.n)
	}
}
