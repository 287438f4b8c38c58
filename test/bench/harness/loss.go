// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"time"

	"github.com/tracer-agent/tracer-agent/test/bench/load"
	"github.com/tracer-agent/tracer-agent/test/rig"
)

// Delay is the time from a response's end, as the client saw it, to the arrival
// of its span at the sink. Requests come one by one at an even rate.
type Delay struct {
	Requests int
	Missing  int // spans that did not come
	P50MS    float64
	P99MS    float64
	MaxMS    float64
}

// The delay's load: slow enough not to fill batches.
const (
	delayRequests = 600
	delayRate     = 200
)

func (b *bench) delay() Delay {
	b.spans.Reset()
	b.spans.Track()
	result := load.Run(load.Plan{
		Addr: b.server.addr(), Path: "/delay", Numbered: true,
		Requests: delayRequests, Connections: 4, Rate: delayRate,
	})
	awaitSpans(b.spans, result.OK, b.Quiet)
	d := Delay{Requests: result.OK}
	var delays []time.Duration
	for n, end := range result.Ends {
		arrival, ok := b.spans.Arrival(fmt.Sprintf("/delay/%d", n))
		switch {
		case end.IsZero():
		case !ok:
			d.Missing++
		default:
			delays = append(delays, arrival.Sub(end))
		}
	}
	d.P50MS = load.Percentile(delays, 0.50).Seconds() * 1e3
	d.P99MS = load.Percentile(delays, 0.99).Seconds() * 1e3
	d.MaxMS = load.Percentile(delays, 1).Seconds() * 1e3
	return d
}

// Saturation is what got lost under load.
type Saturation struct {
	Full Loss // as many requests as the machine can do
	Half Loss // at half that rate
}

// Loss counts: Requests must equal Spans + Dropped.
type Loss struct {
	Requests  int
	PerSecond float64
	Spans     int
	Dropped   float64     // as the agent counts; -1 if it does not tell
	Counters  rig.Metrics // the agent's own, as far as they changed
}

// Load of the saturation runs.
const (
	saturationFactor      = 3  // times Settings.Requests
	saturationConnections = 64 // enough to keep one processor busy
)

func (b *bench) saturation(a *agent) *Saturation {
	full := b.loss(a, 0)
	return &Saturation{Full: full, Half: b.loss(a, full.PerSecond/2)}
}

func (b *bench) loss(a *agent, rate float64) Loss {
	b.spans.Reset()
	before := a.counters()
	result := load.Run(load.Plan{
		Addr: b.server.addr(), Path: "/hello",
		Requests: b.Requests * saturationFactor, Connections: saturationConnections, Rate: rate,
	})
	awaitSpans(b.spans, result.OK, b.Quiet)
	l := Loss{Requests: result.OK, PerSecond: result.PerSecond(), Spans: b.spans.Counts().Server, Dropped: -1}
	if now := a.counters(); now != nil {
		l.Counters = now.Since(before)
		l.Dropped = l.Counters.Sum(a.drops)
	}
	return l
}
