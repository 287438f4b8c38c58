// SPDX-License-Identifier: Apache-2.0

// Package load is an HTTP/1.1 client for benchmarks: a fixed number of GET
// requests over keep-alive connections, as fast as the answers come or at a
// fixed rate. One request costs it one write and, for small answers, one read.
package load

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Plan says what to send.
type Plan struct {
	Addr        string  // host:port
	Path        string  // request target
	Requests    int     // in total, over all connections
	Connections int     // each has at most one request under way
	Rate        float64 // requests per second in total; 0: without pauses
	Numbered    bool    // append "/N" to Path, N counting from 0
}

// Result is what came back.
type Result struct {
	OK      int           // answers with a status of 2xx, read to their end
	Failed  int           // all others
	Elapsed time.Duration // from the first request to the last answer
	P50     time.Duration // answer time, half of the requests were quicker
	P99     time.Duration
	Ends    []time.Time // by request number: end of the answer; zero for failed ones
}

// PerSecond returns the rate of good answers.
func (r Result) PerSecond() float64 { return float64(r.OK) / r.Elapsed.Seconds() }

// Run sends the plan's requests and returns when all have been answered or
// have failed. A connection that fails or that the server closes is replaced.
func Run(p Plan) Result {
	var (
		next    atomic.Int64
		workers sync.WaitGroup
		start   = time.Now()
		ends    = make([]time.Time, p.Requests)
		times   = make([]time.Duration, p.Requests)
	)
	for range p.Connections {
		workers.Go(func() {
			c := conn{addr: p.Addr}
			defer c.close()
			for n := int(next.Add(1)) - 1; n < p.Requests; n = int(next.Add(1)) - 1 {
				sent := p.await(start, n)
				if c.get(p.target(n)) == nil {
					ends[n] = time.Now()
					times[n] = ends[n].Sub(sent)
				}
			}
		})
	}
	workers.Wait()
	return summarize(time.Since(start), ends, times)
}

// await pauses until request n is due and returns the moment that its answer
// time counts from. That is the due time, so that a stalled server is seen.
func (p Plan) await(start time.Time, n int) time.Time {
	if p.Rate == 0 {
		return time.Now()
	}
	due := start.Add(time.Duration(float64(n) / p.Rate * float64(time.Second)))
	time.Sleep(time.Until(due))
	return due
}

func (p Plan) target(n int) string {
	if !p.Numbered {
		return p.Path
	}
	return fmt.Sprintf("%s/%d", p.Path, n)
}

func summarize(elapsed time.Duration, ends []time.Time, times []time.Duration) Result {
	r := Result{Elapsed: elapsed, Ends: ends}
	var good []time.Duration
	for n, end := range ends {
		if end.IsZero() {
			r.Failed++
			continue
		}
		good = append(good, times[n])
	}
	r.OK = len(good)
	r.P50, r.P99 = Percentile(good, 0.50), Percentile(good, 0.99)
	return r
}

// Percentile returns the smallest of values that at least the fraction p of
// them does not exceed (nearest rank), or 0 if there are none. It sorts values.
func Percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := int(math.Ceil(p * float64(len(values))))
	return values[max(rank, 1)-1]
}
