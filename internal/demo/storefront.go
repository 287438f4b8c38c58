// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// storefront is the service that others stand behind.
type storefront struct {
	cart, prices peer
}

// checkout needs both.
func (s *storefront) checkout(w http.ResponseWriter, r *http.Request) {
	s.relay(w, r, s.cart, "/carts/"+r.PathValue("id"))
	s.relay(w, r, s.prices, "/prices/tea")
}

// broken asks for a price that makes the price service fail.
func (s *storefront) broken(w http.ResponseWriter, r *http.Request) {
	s.relay(w, r, s.prices, "/prices/lost")
}

// relay answers with what p says to path, and passes on a failure.
func (s *storefront) relay(w http.ResponseWriter, r *http.Request, p peer, path string) {
	body, err := p.get(r.Context(), path, r.Header)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := w.Write(body); err != nil {
		return // the browser is gone
	}
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

// get asks for path with the trace headers of incoming.
func (p peer) get(ctx context.Context, path string, incoming http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.host+path, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Traceparent", "Tracestate"} {
		if v := incoming.Get(name); v != "" {
			req.Header.Set(name, v)
		}
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
