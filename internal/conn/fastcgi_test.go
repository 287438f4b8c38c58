// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// hiddenRecorder notes the FastCGI requests that begin and end.
type hiddenRecorder struct {
	*recorder
	begun, ended []*spanbuilder.Exchange
}

func (r *hiddenRecorder) Hidden(x *spanbuilder.Exchange) { r.begun = append(r.begun, x) }
func (r *hiddenRecorder) Drop(x *spanbuilder.Exchange)   { r.ended = append(r.ended, x) }

// TestFastCGI: both ends of a FastCGI connection tell the same request, which
// ends when its response begins and is not counted as one of HTTP.
func TestFastCGI(t *testing.T) {
	r := &hiddenRecorder{recorder: newRecorder(t)}
	target := &spanbuilder.Target{}
	table := NewTable(testLimits(), r, nil, func(uint32) *spanbuilder.Target { return target })
	begin := []byte{1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	const web, fpm = 1, 2
	table.Conn(&event.Conn{ID: web, Family: event.FamilyUnix, Self: 10, Peer: 20, TGID: 5, TID: 5})
	table.Conn(&event.Conn{ID: fpm, Family: event.FamilyUnix, Self: 20, Peer: 10, TGID: 6, TID: 6})
	for i := range uint64(2) { // kept open for two
		pos := i * 100
		table.Data(&event.Data{Conn: web, Dir: event.Send, Pos: pos, OtherPos: i * 50, Total: 100, Flags: event.DataHead | event.DataTurn,
			Turn: uint16(2*i + 1), Payload: begin, Ktime: 10 + pos, First: 10 + pos})
		table.Data(&event.Data{Conn: fpm, Dir: event.Recv, Pos: pos, OtherPos: i * 50, Total: 8, Flags: event.DataHead | event.DataTurn,
			Turn: uint16(2*i + 1), Payload: begin[:8], Ktime: 11 + pos, First: 11 + pos})
		table.Data(&event.Data{Conn: fpm, Dir: event.Recv, Pos: pos + 8, OtherPos: i * 50, Total: 92, Turn: uint16(2*i + 1), Ktime: 12 + pos})
		if n := int(2*i) + 2; len(r.begun) != n || len(r.ended) != n-2 {
			t.Fatalf("request %d: %d begun, %d ended", i, len(r.begun), len(r.ended))
		}
		call, request := r.begun[2*i], r.begun[2*i+1]
		if call.Server || !request.Server || call.Key != request.Key || call.Key == (link.Key{}) || call.First != (i == 0) {
			t.Errorf("request %d: %+v and %+v", i, call, request)
		}
		table.Data(&event.Data{Conn: fpm, Dir: event.Send, Pos: i * 50, OtherPos: pos + 100, Total: 50, Flags: event.DataTurn, Turn: uint16(2*i + 2), Ktime: 20 + pos})
		table.Data(&event.Data{Conn: web, Dir: event.Recv, Pos: i * 50, OtherPos: pos + 100, Total: 50, Flags: event.DataTurn, Turn: uint16(2*i + 2), Ktime: 21 + pos})
		if len(r.ended) != int(2*i)+2 {
			t.Errorf("request %d: %d ended", i, len(r.ended))
		}
	}
	if s := table.Stats(); s.Requests != 0 || s.Orphans != 0 || s.Desyncs != 0 || s.LostBytes != 0 {
		t.Errorf("%+v", s)
	}
}
