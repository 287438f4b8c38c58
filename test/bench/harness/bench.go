// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/tracer-agent/tracer-agent/test/bench/load"
	"github.com/tracer-agent/tracer-agent/test/bench/sink"
)

// Case is one thing to measure.
type Case struct {
	Name       string
	Server     Kind
	Unselected bool    // the agent traces another server than the one under load
	Requests   int     // per run; 0: Settings.Requests
	Rate       float64 // requests per second; 0: as many as there can be
	Delay      bool    // measure from the response's end to the span at the sink
	Saturation bool    // count losses at full and at half load
}

// bench is one case under way.
type bench struct {
	Settings
	spec   Case
	log    *slog.Logger
	spans  *sink.Sink
	server *server // gets the load
	traced *server // is what the agent is told to trace; usually the same
}

// Run measures one case.
func Run(s Settings, c Case, log *slog.Logger) (Result, error) {
	if c.Requests > 0 {
		s.Requests = c.Requests
	}
	b := &bench{Settings: s, spec: c, log: log.With("case", c.Name)}
	defer b.close()
	if err := b.open(); err != nil {
		return Result{}, err
	}
	r := Result{Case: c.Name, Server: string(c.Server), Unselected: c.Unselected, Requests: s.Requests, Connections: s.Connections}
	for i := range s.Pairs {
		if err := b.pair(i, &r); err != nil {
			return r, fmt.Errorf("case %s: %w", c.Name, err)
		}
	}
	r.summarize()
	return r, nil
}

func (b *bench) open() (err error) {
	if b.spans, err = sink.New(); err != nil {
		return err
	}
	if b.server, err = startServer(b.Settings, b.spec.Server, b.spec.Name); err != nil {
		return err
	}
	b.traced = b.server
	if b.spec.Unselected {
		if b.traced, err = startServer(b.Settings, Python, b.spec.Name+"-traced"); err != nil {
			return err
		}
	}
	b.run(b.Requests, nil) // a server's first requests are not like the others
	return nil
}

func (b *bench) close() {
	if b.traced != nil && b.traced != b.server {
		b.traced.Stop()
	}
	if b.server != nil {
		b.server.Stop()
	}
	if b.spans != nil {
		b.spans.Close()
	}
}

// pair runs once without and once with the agent. Every second pair has them
// the other way round, so that a machine that gets slower or quicker favours
// neither.
func (b *bench) pair(i int, r *Result) error {
	if i%2 == 0 {
		r.Off = append(r.Off, b.trial(nil))
	}
	last := i == b.Pairs-1
	on, err := b.withAgent(r, last)
	if err != nil {
		return err
	}
	r.On = append(r.On, on)
	if i%2 == 1 {
		r.Off = append(r.Off, b.trial(nil))
	}
	b.log.Info("pair", "number", i+1, "off_us", r.Off[len(r.Off)-1].ServerUS, "on_us", on.ServerUS, "agent_us", on.AgentUS)
	return nil
}

// withAgent starts the agent, runs once, and stops it. The last time it also
// measures what needs a running agent but not a pair.
func (b *bench) withAgent(r *Result, last bool) (Trial, error) {
	before, err := loaded()
	if err != nil {
		return Trial{}, err
	}
	a, err := startAgent(b.Settings, b.traced, b.spans)
	if err != nil {
		return Trial{}, err
	}
	t := b.trial(a)
	if a == nil {
		return t, nil
	}
	if last {
		err = b.extras(a, before, r)
	}
	t.StopS = a.Stop().Seconds()
	return t, err
}

func (b *bench) extras(a *agent, before census, r *Result) error {
	programs, err := b.programs(a, before)
	if err != nil {
		return err
	}
	r.Kernel = programs
	if b.spec.Delay && b.Spans {
		delay := b.delay()
		r.Delay = &delay
	}
	if b.spec.Saturation && b.Spans {
		r.Saturation = b.saturation(a)
	}
	r.IdlePercent = a.idle()
	resident, peak := a.Memory()
	r.AgentRSS, r.AgentPeak = resident, peak
	return nil
}

// trial measures one run. a is nil for one without the agent.
func (b *bench) trial(a *agent) Trial {
	b.run(b.Warm, a)
	b.spans.Reset()
	before := a.counters()
	server0, agent0 := b.server.CPU(), a.cpuOr(0)
	result := load.Run(b.plan(b.Requests))
	server1 := b.server.CPU()
	b.drain(result.OK, a)

	n := float64(max(result.OK, 1))
	t := Trial{
		OK: result.OK, Failed: result.Failed,
		ServerUS:  micros(server1-server0) / n,
		AgentUS:   micros(a.cpuOr(0)-agent0) / n,
		PerSecond: result.PerSecond(),
		P50US:     micros(result.P50), P99US: micros(result.P99),
	}
	if a != nil {
		t.addSpans(b.spans.Counts())
		t.count(a, before)
		t.ReadyS, t.FirstSpanS, t.StartCPUS = a.ready.Seconds(), a.firstSpan.Seconds(), a.startCPU.Seconds()
		t.RSS, t.Peak = a.Memory()
	}
	return t
}

// run sends n requests that are not measured.
func (b *bench) run(n int, a *agent) {
	result := load.Run(b.plan(n))
	b.drain(result.OK, a)
}

// plan is the case's load.
func (b *bench) plan(requests int) load.Plan {
	return load.Plan{Addr: b.server.addr(), Path: "/hello", Requests: requests, Connections: b.Connections, Rate: b.spec.Rate}
}

// drain waits for the spans of n requests.
func (b *bench) drain(n int, a *agent) {
	switch {
	case a == nil || !b.Spans:
	case b.spec.Unselected:
		awaitSpans(b.spans, -1, min(b.Quiet, 2*time.Second)) // there must be none
	default:
		awaitSpans(b.spans, b.spans.Counts().Server+n, b.Quiet)
	}
}

func (a *agent) cpuOr(none time.Duration) time.Duration {
	if a == nil {
		return none
	}
	return a.CPU()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
