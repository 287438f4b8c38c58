// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"net/netip"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/internal/route"
)

// Target is what the spans of a process have in common. Immutable.
type Target struct {
	Resource *resource.Resource // not nil; spans with the same pointer are exported together
	Routes   *route.Set         // nil: no route is known
	Revoked  *atomic.Bool       // not nil and true: the process is not to be traced any more
	Program  link.Program
}

// Peer describes the connection that an exchange is on. It may be shared by
// its exchanges and is only used by the Builder's goroutine.
type Peer struct {
	Local, Remote netip.AddrPort // invalid on unix sockets
	UnixPath      string         // name of a unix socket, "" if it has none

	name   string          // of the remote address, as Peers has it; valid with ends
	ends   *export.AttrSet // what spans say of the other end, made once
	server bool            // ends is of SERVER spans
}

// IsUnix says that the connection is a unix stream socket.
func (p *Peer) IsUnix() bool { return !p.Remote.IsValid() }

// Outcome says how an exchange ended.
type Outcome uint8

const (
	Complete         Outcome = iota // the response was seen to its end
	Inferred                        // complete, but its end was learned from circumstances
	NoResponse                      // the connection ended before a response
	ResponseCut                     // the connection ended within the response
	RequestCut                      // the connection ended within the request, without a response
	ConnectionReset                 // as NoResponse or ResponseCut, by a reset
	ResponseBodyLost                // the response began; its end could not be followed
)

// Exchange is one request and its response as a traced process saw them. The
// caller fills the exported fields, the Builder keeps its own between calls.
type Exchange struct {
	Peer   *Peer
	Target *Target // nil: the process is not selected any more
	Server bool    // the process received the request
	TGID   uint32
	TID    uint32 // of the thread that moved the request's head
	// Goroutine that moved it, or on whose behalf it was moved, and the one that
	// started that one; or asyncio task that sent it, and the one that waits for
	// that one. 0: not known.
	Task, ParentTask uint64
	Conn             uint64   // the connection's name
	First            bool     // it is the connection's first request
	Key              link.Key // how the other end knows the exchange
	Local            bool     // of a SERVER: a traced client may be at the other end
	AnswerTID        uint32   // of the thread that wrote or read the response's head
	AnswerTask       uint64   // the asyncio task that wrote it; 0: not known

	// Times are CLOCK_MONOTONIC nanoseconds.
	ReqStart  uint64 // first byte of the request
	RespStart uint64 // first byte of the final response; 0: none was seen
	End       uint64 // last byte of the response, or of the exchange if it was cut

	// Body sizes in bytes; -1: unknown.
	ReqBody, RespBody int64
	Outcome           Outcome

	node    *link.Node   // nil if the process was not selected any more
	span    *export.Span // nil once delivered or if not sampled
	status  int
	dropped bool // not sampled
}

// HasResponse says that the head of a final response was seen.
func (x *Exchange) HasResponse() bool { return x.RespStart != 0 }
