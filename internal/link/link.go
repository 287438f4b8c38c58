// SPDX-License-Identifier: Apache-2.0

// Package link joins spans into traces: it decides which span is whose parent.
//
// What a request's headers say is followed. Where they say nothing, the kernel
// knows two things. Both ends of a connection on this host count the same
// bytes, so that the CLIENT and the SERVER span of one exchange are recognised
// by the position of its request. And a process that calls out while it has
// requests to answer does so for one of them: a ladder of evidence, the
// strongest first, says for which. Evidence counts only if it fits exactly one;
// a missing link is acceptable, a wrong one is not.
//
// A span's trace may become known after its end. It is held until then, for a
// bounded time and in bounded memory, and goes on with what is known.
package link

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// Evidence names what a link rests on.
type Evidence uint8

const (
	None        Evidence = iota
	Header               // the request carried the context of the request that it serves
	Connection           // both ends of the connection were seen
	RequestID            // the request carried the correlation id of the request that it serves
	Goroutine            // the goroutine that serves the request, or one that it started, made the call
	Thread               // the thread that read the request made the call
	Sequence             // a single-threaded proxy made the call right after it had read the request
	OnlyRequest          // the process had no other request to answer
	Proxy                // the same method and target, unique among the process's requests
	Answer               // the thread that made the call went on to answer the request
	Task                 // the asyncio task that made the call, or waited for the one that did, went on to answer the request
	numEvidence
)

// String returns the value of the span attribute.
func (e Evidence) String() string {
	return [...]string{"none", "header", "connection", "request_id", "goroutine", "thread", "sequence", "only_request", "proxy", "answer", "task"}[e]
}

// Inferred says that the evidence is of the ladder, not of headers or bytes.
func (e Evidence) Inferred() bool { return e > Connection }

// AllEvidence returns every Evidence but None.
func AllEvidence() []Evidence {
	all := make([]Evidence, 0, numEvidence)
	for e := None + 1; e < numEvidence; e++ {
		all = append(all, e)
	}
	return all
}

// Program is the kind of program that a process runs, as far as it matters here.
type Program uint8

const (
	OtherProgram Program = iota
	GoProgram            // threads tell nothing, goroutines do
	NginxProgram         // calls follow reads at once, on the same thread
)

// Key is how both ends of a connection name one exchange. The zero Key names none.
type Key struct{ A, B, C uint64 }

// TCPKey returns the Key of an exchange on a TCP connection: the sequence
// numbers at which its request begins and at which its response will. Both ends
// count the same numbers, whatever translates addresses in between.
func TCPKey(request, response uint32) Key {
	return Key{A: 1, B: uint64(request)<<32 | uint64(response)}
}

// UnixKey returns the Key of an exchange on a unix socket: both sockets, and
// the position of the request.
func UnixKey(client, server, pos uint64) Key { return Key{A: client, B: server, C: pos} }

// Facts are what is known of an exchange when the head of its request was seen.
type Facts struct {
	Server           bool
	TGID, TID        uint32
	Task, ParentTask uint64 // goroutine, and the one that started it, or asyncio task, and the one that waits for it; 0: not known
	Program          Program
	Ktime            uint64 // of the request's first byte
	Conn             uint64 // the agent's name of the connection
	First            bool   // it is the connection's first request
	Key              Key
	Local            bool                 // of a SERVER: a traced client may be at the other end
	Context          *tracecontext.Result // what the headers say; not kept
	Method, Target   []byte               // not kept
	Agent            string               // User-Agent: a proxy passes it on
	Hidden           bool                 // there will be no span of it
	Exports          bool                 // the process sends spans of its own
}

// Config sets up a Linker.
type Config struct {
	Hold    uint64 // how long a span waits for news of its trace, nanoseconds
	MaxHeld int    // spans that wait at a time
	NewIDs  IDs
	// TraceAll: processes that export spans themselves are traced like any other.
	TraceAll bool
	Keep     func(trace.TraceID, tracecontext.Decision) bool // the sampler
	Emit     func(*export.Span, Evidence)                    // takes a finished span that is kept
	Skip     func(*export.Span, Skipped)                     // takes one that is not
}

// IDs makes new identifiers.
type IDs interface {
	TraceID() trace.TraceID
	SpanID() trace.SpanID
}

// Skipped says why a finished span is not emitted.
type Skipped uint8

const (
	Unsampled    Skipped = iota
	Instrumented         // the process's own SDK makes this span
)

// Stats count what became of links.
type Stats struct {
	Links     [numEvidence]uint64 // by what they rest on
	Ambiguous uint64              // calls that may serve several requests: no link
	Unlinked  uint64              // calls made while requests were to be answered, without sufficient evidence
	Late      uint64              // links learned after the span had to go
	Forced    uint64              // spans that went early because too many were waiting
	Shared    uint64              // calls that served several requests: span links instead of a parent
	Mismatch  uint64              // ends of a connection that did not agree on the request
	Held      int                 // spans that wait
	Processes int
}
