// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/tracer-agent/tracer-agent/test/bench/load"
	"github.com/tracer-agent/tracer-agent/test/bench/sink"
	"github.com/tracer-agent/tracer-agent/test/rig"
)

// startTimeout is how long an agent may take to send its first span.
const startTimeout = 90 * time.Second

// agent is a started agent. A nil *agent stands for none.
type agent struct {
	*rig.Process
	spec      Settings
	metrics   int // port
	drops     *regexp.Regexp
	ready     time.Duration // from the start to the line; 0 if it prints none
	firstSpan time.Duration // from the start to the first span at the sink
	startCPU  time.Duration // processor time until then
}

// startAgent starts the agent for traced and sends requests until the first
// span arrives; then all counts of the sink are reset.
func startAgent(s Settings, traced *server, more string, spans *sink.Sink) (*agent, error) {
	if s.Agent == None {
		return nil, nil
	}
	metrics, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	drops, err := regexp.Compile(s.Drops)
	if err != nil {
		return nil, fmt.Errorf("counters of lost spans: %w", err)
	}
	readyLine := make(chan time.Time, 1)
	var once sync.Once
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + spans.URL(), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}
	spans.Reset()
	begin := time.Now()
	p, err := rig.Start(s.Dir, "agent", s.agentCommand(traced.port, metrics, more), env, func(line string) {
		if s.Ready != "" && strings.HasPrefix(line, s.Ready) {
			once.Do(func() { readyLine <- time.Now() })
		}
	})
	if err != nil {
		return nil, err
	}
	a := &agent{Process: p, spec: s, metrics: metrics, drops: drops}
	if err := a.awaitFirstSpan(s, begin, traced, spans); err != nil {
		p.Stop()
		return nil, err
	}
	select {
	case at := <-readyLine:
		a.ready = at.Sub(begin)
	default:
	}
	return a, a.settle(s, spans)
}

func (a *agent) awaitFirstSpan(s Settings, begin time.Time, traced *server, spans *sink.Sink) error {
	for time.Since(begin) < startTimeout {
		if !a.Running() {
			return fmt.Errorf("the agent ended at once; see agent.log in %s", s.Dir)
		}
		if !s.Spans && time.Since(begin) > time.Second {
			return nil
		}
		load.Run(load.Plan{Addr: traced.addr(), Path: "/", Requests: 1, Connections: 1})
		if first := spans.Counts().First; !first.IsZero() {
			a.firstSpan, a.startCPU = first.Sub(begin), a.CPU()
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("no span within %v of the agent's start; see agent.log in %s", startTimeout, s.Dir)
}

// settle waits until the spans of the first requests have all arrived.
func (a *agent) settle(s Settings, spans *sink.Sink) error {
	awaitSpans(spans, -1, min(s.Quiet, time.Second))
	if !a.Running() {
		return fmt.Errorf("the agent ended; see agent.log in %s", s.Dir)
	}
	spans.Reset()
	return nil
}

// awaitSpans returns when want SERVER spans are there, or when none has come
// for as long as quiet. A negative want is never reached.
func awaitSpans(spans *sink.Sink, want int, quiet time.Duration) {
	last, since := spans.Counts(), time.Now()
	for time.Since(since) < quiet && (want < 0 || last.Server < want) {
		time.Sleep(20 * time.Millisecond)
		if now := spans.Counts(); now.Spans() != last.Spans() {
			last, since = now, time.Now()
		}
	}
}

// idle returns what the agent uses when it has nothing to do, in per cent of a
// processor.
func (a *agent) idle() float64 {
	const span = 2 * time.Second
	before := a.CPU()
	time.Sleep(span)
	return 100 * float64(a.CPU()-before) / float64(span)
}

// counters reads the agent's own metrics; nil without an agent, or if it has none.
func (a *agent) counters() rig.Metrics {
	if a == nil {
		return nil
	}
	m, err := rig.Scrape(a.metrics)
	if err != nil {
		return nil
	}
	return m
}
