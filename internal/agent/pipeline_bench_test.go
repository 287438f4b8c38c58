// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unsafe"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/conn"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// recycle takes spans and forgets them.
type recycle struct{ n int }

func (r *recycle) Offer(s *export.Span) bool {
	r.n++
	export.PutSpan(s)
	return true
}

// silent is a kernel without quiet directions.
type silent struct{}

func (silent) Progress(uint64, event.Dir) (pos, ktime uint64, ok bool) { return 0, 0, false }
func (silent) ForgetProgress(uint64, event.Dir)                        {}
func (silent) Reannounce()                                             {}

// benchPipeline is a pipeline whose processes are all selected.
func benchPipeline(b *testing.B, sink spanbuilder.Sink) *pipeline {
	b.Helper()
	cfg := config.Default()
	bc, err := builderConfig(cfg)
	if err != nil {
		b.Fatal(err)
	}
	clock, err := spanbuilder.NewClock()
	if err != nil {
		b.Fatal(err)
	}
	builder, err := spanbuilder.New(bc, clock, sink)
	if err != nil {
		b.Fatal(err)
	}
	target := &spanbuilder.Target{Resource: resource.Empty()}
	limits := conn.Limits{Connections: 1024, Pipelined: 16, IdleUnix: cfg.Limits.IdleUnixConnection, Fields: 128}
	table := conn.NewTable(limits, builder, silent{}, func(uint32) *spanbuilder.Target { return target })
	return &pipeline{table: table, builder: builder, clock: clock}
}

func wire(b *testing.B, kind event.Kind, rec any, payload []byte) []byte {
	b.Helper()
	var buf bytes.Buffer
	if err := binary.Write(&buf, binary.LittleEndian, rec); err != nil {
		b.Fatal(err)
	}
	buf.Write(payload)
	out := buf.Bytes()
	binary.LittleEndian.PutUint16(out, event.Version)
	binary.LittleEndian.PutUint16(out[2:], uint16(kind))
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)))
	return out
}

// BenchmarkRecords is what an exchange costs from its two records to the queue,
// with heads that are the same each time and with such as always differ.
func BenchmarkRecords(b *testing.B) {
	const request = "GET /hello/00000000 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
	const context = "traceparent: 00-5c2e91a07bd34f6688c1d20e00000000-9d41c6e08f2ab735-01\r\n"
	const response = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n" +
		"Content-Type: text/plain\r\nContent-Length: 6\r\nConnection: keep-alive\r\n\r\nhello\n"
	b.Run("same", func(b *testing.B) { benchRecords(b, request+"\r\n", response, "") })
	b.Run("paths", func(b *testing.B) { benchRecords(b, request+"\r\n", response, "/00000000") })
	b.Run("contexts", func(b *testing.B) { benchRecords(b, request+context+"\r\n", response, "e00000000") })
}

// benchRecords handles the exchange over and over; the eight digits at the end of
// vary, if it is not empty, are another number in each request.
func benchRecords(b *testing.B, request, response, vary string) {
	sink := &recycle{}
	p := benchPipeline(b, sink)
	p.record(wire(b, event.KindConn, event.WireConn{Conn: 1, Family: event.FamilyInet, Lport: 80, Rport: 40000}, nil))
	hdr := event.Header{Ktime: 1e9}
	recv := event.WireData{Hdr: hdr, Conn: 1, Flags: event.DataHead | event.DataTurn, Total: uint32(len(request)), Captured: uint32(len(request))}
	send := event.WireData{Hdr: hdr, Conn: 1, Flags: event.DataHead | event.DataTurn, Dir: 1, Total: uint32(len(response)), Captured: uint32(len(response))}
	first, second := wire(b, event.KindData, recv, []byte(request)), wire(b, event.KindData, send, []byte(response))
	var digits []byte
	if vary != "" {
		at := bytes.Index(first, []byte(vary)) + len(vary)
		digits = first[at-8 : at]
	}
	var w event.WireData
	const pos, other, turn = unsafe.Offsetof(w.Pos), unsafe.Offsetof(w.OtherPos), unsafe.Offsetof(w.Turn)
	b.ReportAllocs()
	for i := range b.N {
		reqPos, respPos := uint64(i)*uint64(len(request)), uint64(i)*uint64(len(response))
		binary.LittleEndian.PutUint64(first[pos:], reqPos)
		binary.LittleEndian.PutUint64(first[other:], respPos)
		binary.LittleEndian.PutUint64(second[pos:], respPos)
		binary.LittleEndian.PutUint64(second[other:], reqPos+uint64(len(request)))
		binary.LittleEndian.PutUint16(first[turn:], uint16(2*i+1))
		binary.LittleEndian.PutUint16(second[turn:], uint16(2*i+2))
		for k, n := len(digits)-1, i; k >= 0; k, n = k-1, n/10 {
			digits[k] = byte('0' + n%10)
		}
		p.record(first)
		p.record(second)
	}
	if sink.n != b.N {
		b.Fatalf("%d spans of %d exchanges", sink.n, b.N)
	}
}
