// SPDX-License-Identifier: Apache-2.0

package export

import (
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// ScopeName is the instrumentation scope of every span.
const ScopeName = "github.com/tracer-agent/tracer-agent"

const (
	maxKeptGroups     = 64      // groups kept for the next batch
	maxKeptGroupBytes = 1 << 20 // buffer kept in each
)

// otlpBatch turns spans into the ResourceSpans that the OTLP clients upload.
// Everything is reused from batch to batch.
//
// The messages carry spans and resource already encoded, as what protobuf
// calls unknown fields: protobuf-go writes those as they are, so that the bytes
// on the wire are the same as if Go structs had been filled. Sizing and
// marshalling such structs takes ten times as long as encoding here.
type otlpBatch struct {
	scope     *commonpb.InstrumentationScope
	groups    []*resourceGroup // one per resource of the batch; those beyond n are spare
	n         int
	index     map[*resource.Resource]*resourceGroup
	resources *resourceCache
	out       []*tracepb.ResourceSpans
}

type resourceGroup struct {
	res   *resource.Resource
	spans []byte // encoded
	scope tracepb.ScopeSpans
	msg   tracepb.ResourceSpans
}

func newOTLPBatch(version string) *otlpBatch {
	return &otlpBatch{
		scope:     &commonpb.InstrumentationScope{Name: ScopeName, Version: validUTF8(version)},
		index:     make(map[*resource.Resource]*resourceGroup),
		resources: newResourceCache(func(attrs []attribute.KeyValue) []byte { return appendResource(nil, attrs) }),
	}
}

// encode returns spans grouped by resource, and the size of what it encoded.
// The result is valid until the next call.
func (o *otlpBatch) encode(spans []*Span) (msgs []*tracepb.ResourceSpans, size int) {
	o.reset()
	var g *resourceGroup
	for _, s := range spans {
		if g == nil || g.res != s.Resource {
			g = o.group(s.Resource)
		}
		g.spans = appendSpan(g.spans, s)
	}
	o.out = o.out[:0]
	for _, g := range o.groups[:o.n] {
		g.scope.ProtoReflect().SetUnknown(g.spans)
		o.out = append(o.out, &g.msg)
		size += len(g.spans) + len(g.msg.ProtoReflect().GetUnknown())
	}
	return o.out, size
}

// reset makes all groups spare, keeping a bounded number of bounded buffers.
func (o *otlpBatch) reset() {
	clear(o.index)
	if len(o.groups) > maxKeptGroups {
		clear(o.groups[maxKeptGroups:])
		o.groups = o.groups[:maxKeptGroups]
	}
	for _, g := range o.groups {
		g.res = nil
		if cap(g.spans) > maxKeptGroupBytes {
			g.spans = nil
		}
		g.spans = g.spans[:0]
	}
	o.n = 0
}

// group returns the group of res in this batch.
func (o *otlpBatch) group(res *resource.Resource) *resourceGroup {
	if g, ok := o.index[res]; ok {
		return g
	}
	if o.n == len(o.groups) {
		o.groups = append(o.groups, o.newGroup())
	}
	g := o.groups[o.n]
	o.n++
	o.index[res] = g
	g.res = res
	g.msg.SchemaUrl = res.SchemaURL()
	g.msg.ProtoReflect().SetUnknown(o.resources.get(res))
	return g
}

func (o *otlpBatch) newGroup() *resourceGroup {
	g := &resourceGroup{}
	g.scope.Scope = o.scope
	g.scope.SchemaUrl = semconv.SchemaURL
	g.msg.ScopeSpans = []*tracepb.ScopeSpans{&g.scope}
	return g
}
