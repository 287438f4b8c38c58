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

// BenchmarkRecords is what an exchange costs from its two records to the queue.
func BenchmarkRecords(b *testing.B) {
	sink := &recycle{}
	p := benchPipeline(b, sink)
	request := []byte("GET /hello?a=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\r\n")
	response := []byte("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n" +
		"Content-Type: text/plain\r\nContent-Length: 6\r\nConnection: keep-alive\r\n\r\nhello\n")
	p.record(wire(b, event.KindConn, event.WireConn{Conn: 1, Family: event.FamilyInet, Lport: 80, Rport: 40000}, nil))
	hdr := event.Header{Ktime: 1e9}
	recv := event.WireData{Hdr: hdr, Conn: 1, Flags: event.DataHead | event.DataTurn, Total: uint32(len(request)), Captured: uint32(len(request))}
	send := event.WireData{Hdr: hdr, Conn: 1, Flags: event.DataHead | event.DataTurn, Dir: 1, Total: uint32(len(response)), Captured: uint32(len(response))}
	first, second := wire(b, event.KindData, recv, request), wire(b, event.KindData, send, response)
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
		p.record(first)
		p.record(second)
	}
	if sink.n != b.N {
		b.Fatalf("%d spans of %d exchanges", sink.n, b.N)
	}
}
