// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// PHP-FPM and its like are served by FastCGI, of which only the records are
// recognised that begin a request. Such a request has no span: it leads from
// the web server's request to the calls that the program behind it makes.

// fcgiBegin are the version and type of the record that begins a request
// (FastCGI specification, section 3.3).
var fcgiBegin = [2]byte{1, 1}

// beginsFastCGI says that e, which starts a message, does so in FastCGI.
func beginsFastCGI(e *event.Data) bool {
	return len(e.Payload) >= 8 && [2]byte(e.Payload) == fcgiBegin
}

// fastcgi takes a slice of a FastCGI connection. A request is over when its
// response begins: nothing that the kernel reports tells where it ends.
func (t *Table) fastcgi(c *conn, e *event.Data) {
	if e.Dir != c.requests {
		t.endHidden(c)
		return
	}
	if !startsMessage(e) || !beginsFastCGI(e) {
		return
	}
	t.endHidden(c)
	s := &c.streams[e.Dir]
	s.start, s.facing, s.exact = e.Pos, c.otherPos(e), true
	c.hidden = &spanbuilder.Exchange{
		Peer: &c.peer, Server: e.Dir == event.Recv, TGID: c.tgid, TID: c.tid, Conn: c.id, First: e.Pos == 0, Key: c.key(),
		Local: e.Dir == event.Recv && t.mayBeLocal(c), ReqStart: e.First, Target: c.findTarget(t.targets),
	}
	t.builder.Hidden(c.hidden)
}

func (t *Table) endHidden(c *conn) {
	if c.hidden != nil {
		t.builder.Drop(c.hidden)
		c.hidden = nil
	}
}
