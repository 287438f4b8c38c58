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

// Step is one request of the browser and the tree of spans that must come of it.
type Step struct {
	Method, Target, Body string
	Status               int
	Traced               bool // the browser sends a traceparent of its own
	Tree                 Want
}

// Script returns the requests, with fresh trace ids.
func Script() []Step {
	steps := []Step{
		{Method: "GET", Target: "/checkout/42", Status: 200, Tree: checkout("42")},
		{Method: "GET", Target: "/checkout/43", Status: 200, Traced: true, Tree: checkout("43")},
		{Method: "POST", Target: "/orders?api_key=secret", Body: strings.Repeat("tea,", 1000), Status: 201, Traced: true,
			Tree: server(Storefront, "POST /orders", "/orders?api_key=REDACTED", 201, "ordered by 4000 bytes\n")},
		{Method: "GET", Target: "/nothing-here", Status: 404, Traced: true,
			Tree: server(Storefront, "GET", "/nothing-here", 404, "404 page not found\n")},
		{Method: "GET", Target: "/broken", Status: 500, Traced: true, Tree: broken()},
		{Method: "GET", Target: "/report", Status: 200, Traced: true,
			Tree: lasting(reportTime, server(Storefront, "GET /report", "/report", 200, "all is well\n"))},
		{Method: "GET", Target: "/feed", Status: 200, Tree: streamed()},
	}
	for i := range steps {
		steps[i].identify()
	}
	return steps
}

// identify gives a traced step its ids.
func (s *Step) identify() {
	if s.Traced {
		// It never fails (crypto/rand).
		_, _ = rand.Read(s.Tree.Trace[:])
		_, _ = rand.Read(s.Tree.Parent[:])
	}
}

// checkout is the tree of all four services.
func checkout(id string) Want {
	left, price := `{"item":"tea","left":7}`, `{"item":"tea","price":3}`
	cart := `{"cart":"` + id + `","items":["tea"],"stock":` + left + `}`
	return server(Storefront, "GET /checkout/{id}", "/checkout/"+id, 200, cart+price,
		call(Storefront, server(Cart, "GET /carts/{id}", "/carts/"+id, 200, cart,
			call(Cart, server(Stock, "GET /stock/{item}", "/stock/tea", 200, left)))),
		call(Storefront, server(Prices, "GET /prices/{item}", "/prices/tea", 200, price)))
}

// broken is a failure that two services pass on.
func broken() Want {
	lost := server(Prices, "GET /prices/{item}", "/prices/lost", 500, "the price list is lost\n")
	lost.Error = "500"
	w := server(Storefront, "GET /broken", "/broken", 500, unixHost+"/prices/lost: 500 Internal Server Error\n", call(Storefront, lost))
	w.Error = "500"
	return w
}

func streamed() Want {
	return lasting(time.Duration(len(feed()))*feedPause, server(Storefront, "GET /feed", "/feed", 200, strings.Join(feed(), "")))
}

// server is a request that a service answers, making calls.
func server(service, name, target string, status int, body string, calls ...Want) Want {
	return Want{Span: Span{Service: service, Kind: trace.SpanKindServer, Name: name, Target: target, Status: status, Body: int64(len(body))}, Below: calls}
}

// call is the caller's side of what another service serves. It has no route of
// its own.
func call(caller string, served Want) Want {
	w := Want{Span: served.Span, Below: []Want{served}}
	w.Service, w.Kind, w.Name = caller, trace.SpanKindClient, "GET"
	return w
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
		req.Header.Set("Traceparent", fmt.Sprintf("00-%s-%s-01", s.Tree.Trace, s.Tree.Parent))
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
