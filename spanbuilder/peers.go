// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"net/netip"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
)

// Peers names an address: what it is called, and what spans say of it. An
// address that is not known has neither. It is called once per connection, by
// the Builder's goroutine.
type Peers func(netip.Addr) (name string, attrs []attribute.KeyValue)

// serverHost is what server.address and server.port are taken from: the host
// that the request names, or, where a client names none or the bare address that
// it is connected to, the name of that.
func serverHost(x *Exchange, host string) string {
	p := x.Peer
	if x.Server || p.name == "" {
		return host
	}
	name, port := splitHost(host)
	if name != "" {
		addr, err := netip.ParseAddr(name)
		if err != nil || addr.Unmap() != p.Remote.Addr().Unmap() {
			return host
		}
	} else {
		port = int(p.Remote.Port())
	}
	if port == 0 {
		return p.name
	}
	return p.name + ":" + strconv.Itoa(port)
}
