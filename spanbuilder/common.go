// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/route"
)

// headKey is what requests of one client to one server have in common.
type headKey struct {
	server  bool // SERVER spans
	method  string
	scheme  string
	host    string // "": the request named none
	agent   string // "": neither
	version string
}

// common keeps the attributes of recent requests. Most are like an earlier one
// but for their path and their result.
type common [maxCommon]commonAttrs

// commonAttrs are the attributes that follow from key.
type commonAttrs struct {
	key   headKey
	set   *export.AttrSet
	named bool // server.address is among them
}

const maxCommon = 64 // a power of two

// of returns the attributes that follow from k, valid until the next call.
func (c *common) of(k *headKey) *commonAttrs {
	kept := &c[k.slot()]
	if kept.set == nil || kept.key != *k {
		attrs, named := k.attributes()
		*kept = commonAttrs{key: *k, set: export.NewAttrSet(attrs), named: named}
	}
	return kept
}

func (k *headKey) slot() uint {
	n := uint(len(k.method)) + 5*uint(len(k.host)) + 17*uint(len(k.agent))
	if k.server {
		n++
	}
	return n % maxCommon
}

func (k *headKey) attributes() (a []attribute.KeyValue, named bool) {
	a = make([]attribute.KeyValue, 0, 6)
	a = append(a, semconv.HTTPRequestMethodKey.String(k.method))
	if k.server {
		a = append(a, semconv.URLSchemeKey.String(k.scheme))
	}
	name, port := splitHost(k.host)
	if named = name != ""; named {
		if port == 0 {
			port = defaultPort(k.scheme)
		}
		a = append(a, semconv.ServerAddressKey.String(name), semconv.ServerPortKey.Int(port))
	}
	a = append(a, semconv.NetworkProtocolVersionKey.String(k.version))
	if k.agent != "" {
		a = append(a, semconv.UserAgentOriginalKey.String(k.agent))
	}
	return a, named
}

// described is what a Builder says of a whole head that names the server.
type described struct {
	by     *Builder
	server bool
	routes *route.Set
	peer   string // name of the other end, which may stand for the host
	name   string
	set    *export.AttrSet
}
