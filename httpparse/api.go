// SPDX-License-Identifier: Apache-2.0

// Package httpparse recognises HTTP/1 messages (RFC 9110, RFC 9112) in the two
// byte streams of a connection, as an observer that can lose bytes.
//
// A Parser frames one direction. It is pushed bytes (Feed), told of bytes that
// passed unseen (Skip) and of what is known from outside (Boundary, Tunnel,
// EOF), and calls a Handler for every message head and message end. It never
// fails and never panics: what it cannot recognise it reports as Desync and
// then looks for the next message by itself.
//
// An observer must not be stricter than the parties it watches: what RFC 9112
// lets a recipient repair is repaired, and of what a recipient must refuse the
// head is still reported, while the message's end is left open until it is known.
package httpparse

// Kind says which side of an exchange a Parser frames.
type Kind uint8

const (
	Request  Kind = iota // request messages: client to server
	Response             // response messages: server to client
)

// Field is one header field line. Name keeps its case on the wire; Value has
// optional white space trimmed and obsolete line folding replaced by spaces
// (RFC 9112 section 5.2). Both alias the Parser's buffer or the caller's input.
type Field struct {
	Name, Value []byte
}

// Head is a message head. The Parser owns it and everything it points to:
// it is valid until the Handler method that received it returns.
type Head struct {
	Kind         Kind
	Major, Minor uint8  // HTTP version, RFC 9112 section 2.3
	Method       []byte // valid iff Kind == Request
	Target       []byte // request-target as sent, valid iff Kind == Request
	Status       int    // 100..999, valid iff Kind == Response
	Truncated    bool   // a limit cut the head or Fields: framing may be unknown

	// Size is the head's length in bytes including the empty line.
	Size int
	// ContentLength is the declared body length, or -1 when none is valid.
	ContentLength int64
	// Chunked says that the final transfer coding is chunked.
	Chunked bool
	// Close says that the connection ends after this exchange (RFC 9112 section 9.6).
	Close bool
	// Upgrade says that the head asks for, or with status 101 grants, another protocol.
	Upgrade bool

	text    []byte // begins with the field lines
	lines   int    // how many of them are reported
	scratch *Scratch
	fields  []Field
	kept    *block // the fields, if they are those of an earlier head
	again   bool   // and the start line is that of the latest of them
}

// Fields returns the header fields in wire order, at most Limits.Fields of
// them; trailers never. It is as valid as h.
func (h *Head) Fields() []Field {
	if h.kept != nil {
		return h.kept.all()
	}
	if h.lines > 0 {
		s := h.scratch
		s.fields = appendFields(s.fields[:0], h.Kind, h.text, h.lines)
		h.fields, h.lines = s.fields, 0
	}
	return h.fields
}

// Note returns a place where a Handler can keep what it learns from Fields, nil
// for most heads. What was put there is found again with later heads, and only
// those, whose fields are the same byte for byte; at first there is nil.
func (h *Head) Note() *any {
	if h.kept == nil {
		return nil
	}
	return &h.kept.note
}

// WholeNote is like Note, but tied to the whole head: it is nil unless the start
// line, too, is the same as that of the latest head with these fields.
func (h *Head) WholeNote() *any {
	if !h.again {
		return nil
	}
	return &h.kept.last.note
}

// EndReason says how the end of a message was learned.
type EndReason uint8

const (
	EndFramed   EndReason = iota // by its own framing (length, chunked, no body)
	EndClose                     // close-delimited body, ended by EOF (RFC 9112 section 6.3 rule 8)
	EndAborted                   // EOF before the framing was complete
	EndLost                      // bytes were lost and framing could not be kept
	EndTunnel                    // the connection leaves HTTP after this head (101, CONNECT)
	EndReplaced                  // a new head began where only an inferred end can be: see Parser.Boundary
	EndInferred                  // framing was lost, but what looks like the last chunk ended the bytes fed
)

// End describes a finished message.
type End struct {
	Reason EndReason
	// BodySize is the number of body bytes seen or skipped, before any
	// content coding is undone, without chunk framing. Valid iff BodyKnown.
	BodySize  int64
	BodyKnown bool
	Trailers  bool // a trailer section was present (its fields are not reported)
}

// Method tells a response Parser what the request that it answers was, since
// that decides how the response is framed (RFC 9112 section 6.3 rules 1 and 2).
type Method uint8

const (
	MethodOther   Method = iota // any method without framing rules of its own, or unknown
	MethodHead                  // HEAD: the response never has a body
	MethodConnect               // CONNECT: a 2xx response turns the connection into a tunnel
)

// Handler receives the messages of one direction, in order. Calls happen
// inside Feed, Skip, Boundary and EOF, on their goroutine.
type Handler interface {
	// Head is called once per message, as soon as its head is complete.
	// For a response it returns the method of the request that is answered;
	// interim (1xx, except 101) responses are reported with Status 100..199,
	// are never followed by End, and do not consume a request.
	// For a request the result is ignored.
	Head(h *Head) Method
	// End is called once for each Head that is not interim.
	End(e End)
	// Desync is called when bytes are discarded because no message can be
	// recognised in them, once for each such run; the Parser then looks for
	// the next message start by itself.
	Desync()
}
