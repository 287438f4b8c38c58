// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// storefront is the service that others stand behind.
type storefront struct {
	cart, prices peer
}

// checkout asks both at the same time.
func (s *storefront) checkout(w http.ResponseWriter, r *http.Request) {
	var cart, price []byte
	var errs [2]error
	var asking sync.WaitGroup
	asking.Go(func() { cart, errs[0] = s.cart.get(r.Context(), "/carts/"+r.PathValue("id")) })
	asking.Go(func() { price, errs[1] = s.prices.get(r.Context(), "/prices/tea") })
	asking.Wait()
	answer(w, append(cart, price...), errors.Join(errs[:]...))
}

// broken asks for a price that makes the price service fail.
func (s *storefront) broken(w http.ResponseWriter, r *http.Request) {
	body, err := s.prices.get(r.Context(), "/prices/lost")
	answer(w, body, err)
}

// answer passes on what others said, and their failures.
func answer(w http.ResponseWriter, body []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body) // it fails if the client is gone
}

// cart is the service that knows what is in carts, but not what is left of it.
type cart struct{ stock peer }

func (c *cart) show(w http.ResponseWriter, r *http.Request) {
	stock, err := c.stock.get(r.Context(), "/stock/tea")
	answer(w, fmt.Appendf(nil, `{"cart":%q,"items":["tea"],"stock":%s}`, r.PathValue("id"), stock), err)
}

// peer is a service that is asked by HTTP over TCP or a unix socket.
type peer struct {
	host   string
	client *http.Client
}

// newPeer returns the service at an address as Main prints it.
func newPeer(address string) peer {
	network, where, _ := strings.Cut(address, " ")
	host := where
	if network == "unix" {
		host = unixHost
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, where)
	}
	return peer{host: host, client: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// get asks for path.
func (p peer) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.host+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s%s: %s", p.host, path, resp.Status)
	}
	return body, err
}
