// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Step is one request of the browser and the spans that must come of it.
type Step struct {
	Method, Target, Body string
	Status               int
	Traced               bool // the browser sends a traceparent of its own
	Trace                trace.TraceID
	Span                 trace.SpanID // the browser's, parent of all that follows
	Spans                []Want
}

// Script returns the requests, with fresh trace ids.
func Script() []Step {
	steps := []Step{
		{Method: "GET", Target: "/checkout/42", Status: 200, Traced: true, Spans: checkout("42")},
		{Method: "GET", Target: "/checkout/43", Status: 200, Spans: checkout("43")},
		{Method: "POST", Target: "/orders?api_key=secret", Body: strings.Repeat("tea,", 1000), Status: 201, Traced: true,
			Spans: []Want{server(Storefront, "POST /orders", "/orders?api_key=REDACTED", 201, int64(len("ordered by 4000 bytes\n")))}},
		{Method: "GET", Target: "/nothing-here", Status: 404, Traced: true,
			Spans: []Want{server(Storefront, "GET", "/nothing-here", 404, int64(len("404 page not found\n")))}},
		{Method: "GET", Target: "/broken", Status: 500, Traced: true, Spans: broken()},
		{Method: "GET", Target: "/report", Status: 200, Traced: true,
			Spans: []Want{lasting(reportTime, server(Storefront, "GET /report", "/report", 200, int64(len("all is well\n"))))}},
		{Method: "GET", Target: "/feed", Status: 200, Spans: []Want{streamed()}},
	}
	for i := range steps {
		steps[i].identify()
	}
	return steps
}

// identify gives a traced step its ids, and its spans their parent: every
// service is told of the browser's span and of no other.
func (s *Step) identify() {
	if !s.Traced {
		return
	}
	// It never fails (crypto/rand).
	_, _ = rand.Read(s.Trace[:])
	_, _ = rand.Read(s.Span[:])
	for i := range s.Spans {
		s.Spans[i].Trace, s.Spans[i].Parent = s.Trace, s.Span
	}
}

func checkout(id string) []Want {
	cart, tea := int64(len(`{"cart":"42","items":["tea"]}`)), int64(len(`{"item":"tea","price":3}`))
	return []Want{
		server(Storefront, "GET /checkout/{id}", "/checkout/"+id, 200, cart+tea),
		client("/carts/"+id, 200, cart),
		server(Cart, "GET /carts/{id}", "/carts/"+id, 200, cart),
		client("/prices/tea", 200, tea),
		server(Prices, "GET /prices/{item}", "/prices/tea", 200, tea),
	}
}

// broken is a failure that two services pass on.
func broken() []Want {
	lost := int64(len("the price list is lost\n"))
	spans := []Want{
		server(Storefront, "GET /broken", "/broken", 500, int64(len(unixHost+"/prices/lost: 500 Internal Server Error\n"))),
		client("/prices/lost", 500, lost),
		server(Prices, "GET /prices/{item}", "/prices/lost", 500, lost),
	}
	for i := range spans {
		spans[i].Error = "500"
	}
	return spans
}

func streamed() Want {
	all := strings.Join(feed(), "")
	return lasting(time.Duration(len(feed()))*feedPause, server(Storefront, "GET /feed", "/feed", 200, int64(len(all))))
}

func server(service, name, target string, status int, body int64) Want {
	return Want{Service: service, Kind: trace.SpanKindServer, Name: name, Target: target, Status: status, Body: body}
}

// client is a call of the storefront. What others serve has no route there.
func client(target string, status int, body int64) Want {
	return Want{Service: Storefront, Kind: trace.SpanKindClient, Name: "GET", Target: target, Status: status, Body: body}
}

func lasting(d time.Duration, w Want) Want {
	w.Duration = d
	return w
}

// Browse sends the requests to the storefront one after the other and checks
// that they are answered as they should be.
func Browse(ctx context.Context, front *Service, steps []Step) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	_, host, _ := strings.Cut(front.Address, " ")
	for _, s := range steps {
		if err := s.send(ctx, client, host); err != nil {
			return fmt.Errorf("%s %s: %w", s.Method, s.Target, err)
		}
	}
	return nil
}

func (s *Step) send(ctx context.Context, client *http.Client, host string) error {
	req, err := http.NewRequestWithContext(ctx, s.Method, "http://"+host+s.Target, strings.NewReader(s.Body))
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "demo-browser")
	if s.Traced {
		req.Header.Set("Traceparent", fmt.Sprintf("00-%s-%s-01", s.Trace, s.Span))
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != s.Status {
		return fmt.Errorf("status %d, want %d", resp.StatusCode, s.Status)
	}
	return nil
}
