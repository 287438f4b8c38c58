// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/httpparse"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

var (
	local  = netip.MustParseAddrPort("10.0.0.1:8080")
	remote = netip.MustParseAddrPort("10.0.0.2:50000")
)

// seenExchange is what a recorder was told of an exchange.
type seenExchange struct {
	method, target string
	status         int
	index          int // of the request, from its target; -1: none
	answer         int // of the response, from its header; -1: none
	truncated      bool
	x              spanbuilder.Exchange
}

func (s *seenExchange) String() string {
	return fmt.Sprintf("%s %s %d req=%d resp=%d outcome=%d", s.method, s.target, s.status, s.x.ReqBody, s.x.RespBody, s.x.Outcome)
}

// recorder is a Builder that keeps what it is told and checks the order of calls.
type recorder struct {
	t     testing.TB
	open  map[*spanbuilder.Exchange]*seenExchange
	done  []*seenExchange
	drops int
}

func newRecorder(t testing.TB) *recorder {
	return &recorder{t: t, open: map[*spanbuilder.Exchange]*seenExchange{}}
}

func (r *recorder) Request(x *spanbuilder.Exchange, h *httpparse.Head) {
	if r.open[x] != nil {
		r.t.Fatal("a second request for one exchange")
	}
	s := &seenExchange{method: string(h.Method), target: string(h.Target), index: -1, answer: -1, truncated: h.Truncated}
	if rest, ok := strings.CutPrefix(s.target, "/i/"); ok {
		s.index = atoi(rest)
	}
	r.open[x] = s
}

func (r *recorder) Response(x *spanbuilder.Exchange, h *httpparse.Head) {
	s := r.open[x]
	if s == nil || s.status != 0 {
		r.t.Fatalf("a response for an exchange that is not open or has one: %v", s)
	}
	s.status = h.Status
	for _, f := range h.Fields() {
		if string(f.Name) == "X-I" {
			s.answer = atoi(string(f.Value))
		}
	}
}

func (r *recorder) Done(x *spanbuilder.Exchange) {
	s := r.open[x]
	if s == nil {
		r.t.Fatal("done twice, or never begun")
	}
	delete(r.open, x)
	s.x = *x
	r.done = append(r.done, s)
}

func (r *recorder) Drop(x *spanbuilder.Exchange) {
	if r.open[x] == nil {
		r.t.Fatal("dropped twice, or never begun")
	}
	delete(r.open, x)
	r.drops++
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -2
	}
	return n
}

// balance checks that no request is unaccounted for.
func balance(t testing.TB, table *Table, r *recorder) {
	t.Helper()
	s := table.Stats()
	drops := s.DroppedLost + s.DroppedBroken + s.DroppedEvicted
	if s.Requests != s.Exchanges+drops+uint64(s.OpenExchanges) {
		t.Fatalf("requests %d, exchanges %d, dropped %d, open %d", s.Requests, s.Exchanges, drops, s.OpenExchanges)
	}
	if int(s.Exchanges) != len(r.done) || int(drops) < r.drops || s.OpenExchanges != len(r.open) {
		t.Fatalf("counted %d done, %d dropped, %d open; the builder was told of %d, %d, %d",
			s.Exchanges, drops, s.OpenExchanges, len(r.done), r.drops, len(r.open))
	}
}

func testLimits() Limits {
	return Limits{Connections: 16, Pipelined: 64, IdleUnix: time.Minute, Fields: 64}
}

func newTestTable(t testing.TB, k *simKernel) (*Table, *recorder) {
	r := newRecorder(t)
	target := &spanbuilder.Target{Resource: resource.Empty()}
	k.table = NewTable(testLimits(), r, k, func(uint32) *spanbuilder.Target { return target })
	return k.table, r
}

func (*recorder) Opened(*spanbuilder.Target, uint64, uint32, uint32, uint64) {}
func (*recorder) HTTP2(uint32, uint64, []byte)                               {}
func (*recorder) Moved(uint32, uint32, *spanbuilder.Exchange)                {}

func (*recorder) Hidden(*spanbuilder.Exchange) {}
