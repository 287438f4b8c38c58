// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// collectorFaults are those that one protocol's collector can show.
func collectorFaults(protocol string) []fault {
	named := func(what string, play func(*stage, *outcome) error) fault {
		return fault{name: fmt.Sprintf("collector %s (%s)", what, protocol), protocol: protocol, play: play}
	}
	return []fault{
		named("refuses connections", func(s *stage, o *outcome) error {
			return s.trouble(o, (*collector).shut, func(c *collector) error { return c.open() })
		}),
		named("never answers", func(s *stage, o *outcome) error { return s.misbehave(o, hang) }),
		named("resets connections", func(s *stage, o *outcome) error { return s.misbehave(o, reset) }),
		named("answers 429 with Retry-After", func(s *stage, o *outcome) error { return s.throttled(o) }),
		named("takes a part of each batch", func(s *stage, o *outcome) error { return s.partly(o) }),
		{name: fmt.Sprintf("collector is away when the agent is told to stop (%s)", protocol), protocol: protocol, ends: true,
			play: func(s *stage, o *outcome) error { return s.endDuringOutage(o) }},
	}
}

// longFaults take minutes.
func longFaults() []fault {
	return []fault{{name: "collector comes back after a long outage", play: func(s *stage, o *outcome) error {
		s.settings.fault = s.outage
		s.notef("it was away for %s", s.outage)
		return s.trouble(o, (*collector).shut, func(c *collector) error { return c.open() })
	}}}
}

// quick makes an attempt that gets no answer end soon.
const quick = "OTEL_EXPORTER_OTLP_TIMEOUT=2000"

// trouble sends load before, during and after a fault of the collector; retries
// must have been made, and all that was not dropped arrives in the end.
func (s *stage) trouble(o *outcome, begin func(*collector), end func(*collector) error) error {
	addr, err := s.web()
	if err != nil {
		return err
	}
	if err := s.trace(nil, []string{quick}, addr); err != nil {
		return err
	}
	s.load(addr, time.Second)
	begin(s.collector)
	s.load(addr, s.settings.fault)
	before := s.collector.spans()
	if err := end(s.collector); err != nil {
		return err
	}
	over := time.Now()
	s.load(addr, time.Second)
	for s.collector.spans() == before {
		if time.Since(over) > settleLimit {
			return fmt.Errorf("no span came within %s of the fault's end", settleLimit)
		}
		time.Sleep(50 * time.Millisecond)
	}
	metrics, err := s.require(o)
	if err != nil {
		return err
	}
	if metrics[exportRetries] == 0 {
		s.problemf("nothing was retried, so nothing is proved")
	}
	s.notef("%.0f retries", metrics[exportRetries])
	return nil
}

func (s *stage) misbehave(o *outcome, mode behaviour) error {
	return s.trouble(o, func(c *collector) { c.behave(mode) }, func(c *collector) error { c.behave(accept); return nil })
}

// throttled also looks at the pauses between attempts.
func (s *stage) throttled(o *outcome) error {
	return s.trouble(o, func(c *collector) { c.behave(throttle); c.tries() }, func(c *collector) error {
		at := c.tries()
		for i := 1; i < len(at); i++ {
			// A pause is measured from the answer's arrival at the agent to the request's arrival here.
			if pause := at[i].Sub(at[i-1]); pause < retryAfter-20*time.Millisecond {
				s.problemf("asked for a pause of %s, the next attempt came after %s", retryAfter, pause)
			}
		}
		if len(at) < 2 {
			s.problemf("%d attempts: the pause between them is not proved", len(at))
		}
		s.notef("pauses of %s were kept", retryAfter)
		c.behave(accept)
		return nil
	})
}

// partly: what the collector refuses of a batch it took is dropped and counted.
func (s *stage) partly(o *outcome) error {
	addr, err := s.web()
	if err != nil {
		return err
	}
	if err := s.trace(nil, nil, addr); err != nil {
		return err
	}
	s.collector.behave(partial)
	s.load(addr, s.settings.fault/2)
	if _, err := s.require(o); err != nil {
		return err
	}
	if o.books.drops["rejected"] == 0 {
		s.problemf("nothing was rejected, so nothing is proved")
	}
	return nil
}

// stopped is the agent's last line, with its totals.
var stopped = regexp.MustCompile(`msg=stopped requests=(\d+) spans_exported=(\d+) spans_dropped=(\d+) exchanges_lost=(\d+)`)

// endDuringOutage: the agent gives up in time and says what it could not send.
func (s *stage) endDuringOutage(o *outcome) error {
	addr, err := s.web()
	if err != nil {
		return err
	}
	if err := s.trace(nil, []string{quick}, addr); err != nil {
		return err
	}
	s.load(addr, time.Second)
	s.collector.shut()
	s.load(addr, time.Second)
	_, o.peak = s.agent.Memory()
	s.notef("it ended %.1f s after SIGTERM, and logged the totals", s.agent.Stop().Seconds())
	text, err := os.ReadFile(filepath.Join(s.dir, "agent.log"))
	if err != nil {
		return err
	}
	found := stopped.FindSubmatch(text)
	if found == nil {
		return fmt.Errorf("the agent's log does not tell the totals")
	}
	var n [5]float64
	for i := range n[1:] {
		if n[i+1], err = strconv.ParseFloat(string(found[i+1]), 64); err != nil {
			return err
		}
	}
	o.spans, o.books = s.collector.spans(), books{exported: n[2], drops: map[string]float64{"shutdown": n[3]}}
	if n[4] > 0 {
		o.books.drops["exchanges_lost"] = n[4]
	}
	if o.uncounted = int(s.clients.Sent) - o.spans - int(o.books.dropped()); o.uncounted != 0 {
		s.problemf("%d requests are neither spans nor counted drops", o.uncounted)
	}
	if n[3] == 0 {
		s.problemf("nothing was lost, so nothing is proved")
	}
	return nil
}
