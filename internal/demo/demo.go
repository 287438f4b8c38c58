// SPDX-License-Identifier: Apache-2.0

// Package demo is the world that "tracer-agent demo" traces: four small HTTP
// services, each a process of its own made from the running binary, the
// requests that a browser would send them, and the trees of spans that must
// come of it.
//
// A storefront on IPv4 asks a cart service on IPv6 (IPv4 where there is none)
// and, at the same time, a price service on a unix socket; the cart asks a
// stock service. The services are plain net/http programs that know nothing of
// tracing: they pass on no header.
package demo

// Argument is the first command-line argument that makes a process one of the
// services; see [Main].
const Argument = "demo-service"

// Names of the services.
const (
	Storefront = "storefront"
	Cart       = "cart"
	Prices     = "prices"
	Stock      = "stock"
)

// Routes lists the path patterns of a service, for http.route.
func Routes(service string) []string {
	switch service {
	case Storefront:
		return []string{"/checkout/{id}", "/orders", "/report", "/feed", "/broken"}
	case Cart:
		return []string{"/carts/{id}"}
	case Stock:
		return []string{"/stock/{item}"}
	}
	return []string{"/prices/{item}"}
}
