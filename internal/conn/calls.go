// SPDX-License-Identifier: Apache-2.0

package conn

import (
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// connecting is how long after the last connect a connection that nothing was
// sent on yet may still turn out to be a client's, nanoseconds.
const connecting = 60e9

// mayBeLocal says that a traced client may be at the other end of c.
func (t *Table) mayBeLocal(c *conn) bool {
	return t.outbound > 0 || t.opened != 0 && c.lastSeen < t.opened+connecting
}

// Open takes the news that a task begins to connect a socket.
func (t *Table) Open(e *event.Open) {
	t.opened = e.Ktime
	if target := t.targets(e.TGID); target != nil {
		t.builder.Opened(target, e.Conn, e.TGID, e.TID, e.Ktime)
	}
}

// sequence tells what a single-threaded proxy did last: it calls right after it has read.
func (t *Table) sequence(c *conn, e *event.Data) {
	if c.target == nil || c.target.Program != link.NginxProgram || c.targetOf != e.TGID {
		return
	}
	var x *spanbuilder.Exchange
	if n := len(c.pending); n > 0 && c.known && e.Dir == c.requests && e.Dir == event.Recv {
		x = &c.pending[n-1].x
	}
	t.builder.Moved(e.TGID, e.TID, x)
}
