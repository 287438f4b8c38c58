// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/conn"
	"github.com/tracer-agent/tracer-agent/internal/discovery"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/record"
	"github.com/tracer-agent/tracer-agent/internal/redact"
	"github.com/tracer-agent/tracer-agent/internal/route"
	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// pipeline takes records through connections to spans.
type pipeline struct {
	mu       sync.Mutex
	discover *discovery.Discovery
	programs *programs
	table    *conn.Table
	builder  *spanbuilder.Builder
	clock    *spanbuilder.Clock
	routes   map[string]*route.Set                     // by the patterns of a rule
	targets  map[*discovery.Target]*spanbuilder.Target // what spans need of each
	swept    time.Time                                 // when idle connections were last looked at
	data     event.Data                                // the record at hand: it would be allocated each time
	records  uint64
	bytes    uint64        // of the records
	bad      atomic.Uint64 // records that did not decode
	tape     *tape         // nil: nothing is recorded
	// find says what the spans of a process have in common: target, but for a replay.
	find     func(tgid uint32) *spanbuilder.Target
	thrower  *thrower    // tests only, else nil
	behind   func() bool // whether process events wait to be handled; nil: they never do
	waited   time.Time   // when that was waited for in vain
	silent   atomic.Bool // there will be no more process events
	handling atomic.Bool // one is being handled
}

// totals are the counters of everything behind the ring.
type totals struct {
	table   conn.Stats
	builder spanbuilder.Stats
	records uint64
	bytes   uint64
	bad     uint64
	thrown  uint64
}

// maxTargets bounds the cache of targets; it is rebuilt when full.
const maxTargets = 4096

func newPipeline(cfg config.Config, k conn.Kernel, d *discovery.Discovery, programs *programs, peers spanbuilder.Peers, sink spanbuilder.Sink, t *tape) (*pipeline, error) {
	bc, err := builderConfig(cfg)
	if err != nil {
		return nil, err
	}
	bc.Peers = peers
	p := &pipeline{discover: d, programs: programs, tape: t}
	if p.thrower, err = newThrower(); err != nil {
		return nil, err
	}
	return buildPipeline(cfg, bc, p, t.kernel(k), sink)
}

// buildPipeline adds to p what turns records into spans.
func buildPipeline(cfg config.Config, bc spanbuilder.Config, p *pipeline, k conn.Kernel, sink spanbuilder.Sink) (*pipeline, error) {
	clock, err := spanbuilder.NewClock()
	if err != nil {
		return nil, err
	}
	p.clock, p.routes, p.targets = clock, map[string]*route.Set{}, map[*discovery.Target]*spanbuilder.Target{}
	if p.find == nil {
		p.find = p.target
	}
	p.tape.clock(clock.Offset())
	if p.builder, err = spanbuilder.New(bc, clock, sink); err != nil {
		return nil, err
	}
	limits := conn.Limits{
		Connections: cfg.Kernel.MaxConnections, Pipelined: cfg.Limits.PipelinedRequests,
		IdleUnix: cfg.Limits.IdleUnixConnection, Fields: cfg.HTTP.MaxFields,
	}
	p.table = conn.NewTable(limits, p.builder, k, p.find)
	return p, nil
}

func builderConfig(cfg config.Config) (spanbuilder.Config, error) {
	sampler, err := spanbuilder.NewSampler(cfg.Sampling.Sampler, cfg.Sampling.Ratio)
	if err != nil {
		return spanbuilder.Config{}, err
	}
	bc := spanbuilder.Config{
		Sampler:        sampler,
		Correlation:    cfg.Propagation.CorrelationHeaders,
		RequestHeaders: cfg.HTTP.CaptureRequestHeaders, ResponseHeaders: cfg.HTTP.CaptureResponseHeaders,
		Hold: cfg.Linking.Hold, MaxHeld: cfg.Limits.HeldSpans, TraceAll: cfg.Linking.InstrumentedProcesses == "all",
	}
	for _, name := range cfg.Propagation.Formats {
		f, err := tracecontext.ParseFormat(name)
		if err != nil {
			return bc, err
		}
		bc.Formats = append(bc.Formats, f)
	}
	bc.Secrets, err = redact.NewNames(append(redact.Defaults(), cfg.HTTP.RedactQuery...))
	return bc, err
}

// target finds what the spans of a process have in common.
func (p *pipeline) target(tgid uint32) *spanbuilder.Target {
	dt := p.discover.Lookup(tgid)
	if dt == nil && p.awaitControl() {
		dt = p.discover.Lookup(tgid)
	}
	p.tape.target(tgid, dt, p.programs)
	if dt == nil {
		return nil
	}
	if t := p.targets[dt]; t != nil {
		return t
	}
	if len(p.targets) >= maxTargets {
		clear(p.targets)
	}
	t := &spanbuilder.Target{Resource: dt.Resource, Routes: p.routeSet(dt.Routes), Revoked: dt.RevokedFlag(), Program: p.programs.kind(tgid)}
	p.targets[dt] = t
	return t
}

const (
	// controlPatience is how long a process nobody knows may wait for its news,
	// controlPause how long nobody waits after that was in vain.
	controlPatience = 200 * time.Millisecond
	controlPause    = 5 * time.Second
)

// awaitControl waits, not for long, until the process events have been handled
// that came before now: on a busy machine a child may have been born, served and
// died before the news of its birth is read. It returns false if there were none.
func (p *pipeline) awaitControl() bool {
	if p.behind == nil || !p.behind() || time.Since(p.waited) < controlPause {
		return false
	}
	end := time.Now().Add(controlPatience)
	for p.behind() && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	if p.behind() {
		p.waited = time.Now()
	}
	return true
}

// routeSet returns a rule's patterns compiled, nil if there are none.
func (p *pipeline) routeSet(patterns []string) *route.Set {
	if len(patterns) == 0 {
		return nil
	}
	key := strings.Join(patterns, "\n")
	set, ok := p.routes[key]
	if !ok {
		if len(p.routes) >= maxTargets {
			clear(p.routes)
		}
		set, _ = route.Compile(patterns) // checked when the configuration was read
		p.routes[key] = set
	}
	return set
}

// record takes one record of the data ring. The caller holds mu.
func (p *pipeline) record(b []byte) {
	if p.thrower.takes() {
		return
	}
	p.records++
	p.bytes += uint64(len(b))
	kind, err := event.Peek(b)
	if err == nil {
		err = p.dispatch(kind, b)
	}
	if err != nil {
		p.bad.Add(1)
	}
	p.tape.data(b)
}

// poll looks after directions that have gone quiet. The caller holds mu.
func (p *pipeline) poll() {
	p.table.Poll()
	p.tape.mark(record.KindPoll)
}

// sweep forgets what has been idle for long, and follows the wall clock. The
// caller holds mu.
func (p *pipeline) sweep(now uint64) error {
	p.table.Sweep(now)
	p.tape.mark(record.KindSweep, now)
	err := p.clock.Sync()
	p.tape.clock(p.clock.Offset())
	return err
}

// settle lets go the spans that have waited long enough, and says whether any
// still wait. The caller holds mu.
func (p *pipeline) settle(now uint64) bool {
	waiting := p.builder.Tick(now)
	p.tape.mark(record.KindTick, now)
	return waiting
}

// finish lets go all that waits.
func (p *pipeline) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.poll() // what the kernel only counted may have completed a response
	p.builder.Flush()
	p.tape.mark(record.KindEnd)
}

func (p *pipeline) dispatch(kind event.Kind, b []byte) error {
	switch kind {
	case event.KindData:
		if err := p.data.Decode(b); err != nil {
			return err
		}
		p.table.Data(&p.data)
	case event.KindOpen:
		var e event.Open
		if err := e.Decode(b); err != nil {
			return err
		}
		p.programs.opens(e.TGID)
		p.table.Open(&e)
	case event.KindConn:
		var e event.Conn
		if err := e.Decode(b); err != nil {
			return err
		}
		p.table.Conn(&e)
	case event.KindEOF, event.KindClose:
		var e event.EOF
		if err := e.Decode(b); err != nil {
			return err
		}
		if kind == event.KindEOF {
			p.table.EOF(&e)
		} else {
			p.table.Close(&e)
		}
	default:
		return fmt.Errorf("%w: kind %d in the data ring", event.ErrRecord, kind)
	}
	return nil
}

// control takes one record of the control ring. It does not need mu: a new
// process must not wait for the thread that handles data, which may itself wait
// for a processor.
func (p *pipeline) control(b []byte) {
	p.handling.Store(true)
	defer p.handling.Store(false)
	p.tape.control(b)
	kind, err := event.Peek(b)
	if err == nil {
		err = p.process(kind, b)
	}
	if err != nil {
		p.bad.Add(1)
	}
}

func (p *pipeline) process(kind event.Kind, b []byte) error {
	switch kind {
	case event.KindListen:
		var l event.Listen
		if err := l.Decode(b); err != nil {
			return err
		}
		p.discover.OnListen(discovery.Listen{TGID: l.TGID, Port: l.Port, Selected: l.Selected, Stack: l.Stack})
	case event.KindProc:
		var e event.Proc
		if err := e.Decode(b); err != nil {
			return err
		}
		p.lifecycle(&e)
	default:
		return fmt.Errorf("%w: kind %d in the control ring", event.ErrRecord, kind)
	}
	return nil
}

func (p *pipeline) lifecycle(e *event.Proc) {
	switch e.Op {
	case event.ProcFork:
		p.discover.OnFork(e.PTGID, e.TGID, e.Selected)
	case event.ProcExec:
		p.programs.forget(e.TGID)
		p.discover.OnExec(discovery.Exec{TGID: e.TGID, Program: e.Program, Stack: e.Stack})
	case event.ProcExit:
		p.programs.forget(e.TGID)
		p.discover.OnExit(e.TGID)
	}
}

func (p *pipeline) totals() totals {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := totals{table: p.table.Stats(), builder: p.builder.Stats(), records: p.records, bytes: p.bytes, bad: p.bad.Load()}
	if p.thrower != nil {
		t.thrown = p.thrower.thrown
	}
	return t
}
