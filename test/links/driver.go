// SPDX-License-Identifier: Apache-2.0

package links

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sent says when a request of the plan was under way, as its client saw it, and
// what it was answered.
type Sent struct {
	Start, End time.Time
	Body       string
}

// Driver sends a plan. Done may be read by any goroutine.
type Driver struct {
	Addr        string
	Connections int
	Dial        func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the usual way
	Done        atomic.Int64                                                      // requests that have been answered, or failed
}

// Send makes the requests of the plan and checks that their calls were made.
// They begin in the plan's order, each as soon as a connection is free. It
// returns when each was under way, and the errors of all of them.
func (d *Driver) Send(ctx context.Context, plan []Request) ([]Sent, error) {
	sent, errs := make([]Sent, len(plan)), make([]error, len(plan))
	next := make(chan int)
	var clients sync.WaitGroup
	for range d.Connections {
		clients.Go(func() {
			transport := &http.Transport{MaxConnsPerHost: 1, DialContext: d.Dial}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			for i := range next {
				if plan[i].Fresh {
					transport.CloseIdleConnections()
				}
				sent[i].Start = time.Now()
				sent[i].Body, errs[i] = send(ctx, client, d.Addr, &plan[i])
				sent[i].End = time.Now()
				d.Done.Add(1)
			}
		})
	}
	for i := range plan {
		next <- i
	}
	close(next)
	clients.Wait()
	return sent, errors.Join(errs...)
}

// send makes one request and returns the body of its answer.
func send(ctx context.Context, client *http.Client, addr string, r *Request) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+r.Target, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set(TruthHeader, r.ID)
	for _, field := range r.Header {
		req.Header.Add(field[0], field[1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("%s: %w", r.ID, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	body := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", r.ID, err)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s: %s: %s %.500s", r.ID, r.Target, resp.Status, body)
	case r.Echo && body != r.echo():
		return "", fmt.Errorf("%s: the leaves said %.500q, want %q", r.ID, body, r.echo())
	}
	return body, nil
}

// echo is what a service answers: the truth ids of its calls.
func (r *Request) echo() string {
	ids := make([]string, r.Calls)
	for n := range ids {
		ids[n] = r.CallID(n)
	}
	return strings.Join(ids, ",")
}
