// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/tracer-agent/tracer-agent/test/bench/load"
	"github.com/tracer-agent/tracer-agent/test/bench/sink"
	"github.com/tracer-agent/tracer-agent/test/rig"
)

// bench is one case under way.
type bench struct {
	Settings
	spec   Case
	log    *slog.Logger
	spans  *sink.Sink
	server *server      // gets the load
	traced *server      // is what the agent is told to trace; usually the same
	more   string       // arguments that select crowd
	crowd  *rig.Process // further processes; nil: none
	idle   *load.Idle   // further connections; nil: none
}

// Run measures one case: one result for each agent.
func Run(s Settings, c Case, log *slog.Logger) ([]Result, error) {
	if c.Requests > 0 {
		s.Requests = c.Requests
	}
	if c.Pairs > 0 {
		s.Pairs = min(s.Pairs, c.Pairs)
	}
	s.Warm = min(s.Warm, s.Requests)
	b := &bench{Settings: s, spec: c, log: log.With("case", c.Name, "backend", s.Backend)}
	defer b.close()
	if err := b.open(); err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	sides := s.sides()
	results := make([]Result, len(sides))
	for i, side := range sides {
		results[i] = Result{
			Case: b.name(), Server: string(c.Server), Unselected: c.Unselected, Backend: s.Backend, Agent: side.AgentFile, Other: i > 0,
			Group: c.Group, X: b.x(), Requests: s.Requests, Connections: s.Connections,
		}
	}
	for i := range s.Pairs {
		if err := b.round(i, sides, results); err != nil {
			return nil, fmt.Errorf("case %s: %w", c.Name, err)
		}
	}
	for i := range results {
		results[i].summarize()
	}
	return results, nil
}

// name is the case's; it tells how many connections there are, which may be fewer
// than the case wants.
func (b *bench) name() string {
	if b.idle != nil {
		return fmt.Sprintf("%s-%d", b.spec.Group, b.idle.Len())
	}
	return b.spec.Name
}

// x is what the case is plotted against, as far as this machine allows it.
func (b *bench) x() float64 {
	if b.idle != nil {
		return float64(b.idle.Len())
	}
	return b.spec.X
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
	if b.spec.Processes > 0 {
		if b.crowd, b.more, err = startCrowd(b.Settings, b.spec.Processes); err != nil {
			return err
		}
	}
	if b.spec.Idle > 0 {
		if b.idle, err = load.OpenIdle(b.server.addr(), b.spec.Idle); err != nil {
			return err
		}
	}
	b.run(b.Requests, nil) // a server's first requests are not like the others
	return nil
}

func (b *bench) close() {
	if b.idle != nil {
		b.idle.Close()
	}
	if b.crowd != nil {
		b.crowd.Stop()
	}
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

// round runs once without and once with each agent. Every second round has them
// the other way round, so that a machine that gets slower or quicker favours
// none.
func (b *bench) round(i int, sides []Settings, results []Result) error {
	backwards := i%2 == 1
	var off Trial
	if !backwards {
		off = b.trial(nil)
	}
	for k := range sides {
		if backwards {
			k = len(sides) - 1 - k
		}
		on, err := b.withAgent(sides[k], &results[k], i == b.Pairs-1)
		if err != nil {
			return err
		}
		results[k].On = append(results[k].On, on)
		b.log.Info("run", "round", i+1, "agent", sides[k].AgentFile, "on_us", on.ServerUS, "agent_us", on.AgentUS)
	}
	if backwards {
		off = b.trial(nil)
	}
	for k := range results {
		results[k].Off = append(results[k].Off, off)
	}
	b.log.Info("run", "round", i+1, "off_us", off.ServerUS)
	return nil
}

// withAgent starts the agent, runs once, and stops it. The last time it also
// measures what needs a running agent but not a pair.
func (b *bench) withAgent(side Settings, r *Result, last bool) (Trial, error) {
	before, err := loaded()
	if err != nil {
		return Trial{}, err
	}
	a, err := startAgent(side, b.traced, b.more, b.spans)
	if err != nil {
		return Trial{}, err
	}
	if b.idle != nil {
		seen := b.spans.Counts().Server
		if err := b.idle.Touch(); err != nil {
			return Trial{}, err
		}
		b.drain(seen+b.idle.Len(), a)
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
	if b.spec.Delay && a.spec.Spans {
		delay := b.delay()
		r.Delay = &delay
	}
	if b.spec.Saturation && a.spec.Spans {
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
	seen := b.spans.Counts().Server
	result := load.Run(b.plan(n))
	b.drain(seen+result.OK, a)
}

// plan is the case's load.
func (b *bench) plan(requests int) load.Plan {
	path := "/hello"
	if b.spec.Body > 0 {
		path = fmt.Sprintf("/bytes/%d", b.spec.Body)
	}
	return load.Plan{Addr: b.server.addr(), Path: path, Requests: requests, Connections: b.Connections, Rate: b.spec.Rate}
}

// drain waits until there are want SERVER spans.
func (b *bench) drain(want int, a *agent) {
	switch {
	case a == nil || !a.spec.Spans:
	case b.spec.Unselected:
		awaitSpans(b.spans, -1, min(b.Quiet, 2*time.Second)) // there must be none
	default:
		awaitSpans(b.spans, want, b.Quiet)
	}
}

func (a *agent) cpuOr(none time.Duration) time.Duration {
	if a == nil {
		return none
	}
	return a.CPU()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
