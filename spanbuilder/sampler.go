// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tracer-agent/tracer-agent/internal/tracecontext"
)

// Sampler decides which spans are kept, with the names and meanings of
// OTEL_TRACES_SAMPLER.
type Sampler struct {
	root        sdktrace.Sampler
	always      bool // root keeps everything
	parentBased bool
}

// NewSampler returns the sampler called name; ratio is used by those that have
// one and lies between 0 and 1.
func NewSampler(name string, ratio float64) (Sampler, error) {
	switch name {
	case "always_on":
		return Sampler{always: true}, nil
	case "always_off":
		return Sampler{root: sdktrace.NeverSample()}, nil
	case "traceidratio":
		return Sampler{root: sdktrace.TraceIDRatioBased(ratio), always: ratio >= 1}, nil
	case "parentbased_always_on":
		return Sampler{always: true, parentBased: true}, nil
	case "parentbased_always_off":
		return Sampler{root: sdktrace.NeverSample(), parentBased: true}, nil
	case "parentbased_traceidratio":
		return Sampler{root: sdktrace.TraceIDRatioBased(ratio), always: ratio >= 1, parentBased: true}, nil
	}
	return Sampler{}, fmt.Errorf("unknown sampler %q", name)
}

// Keep decides for a span of the trace id, given what the request's context said.
// An undecided context leaves the decision to the root sampler.
func (s Sampler) Keep(id trace.TraceID, upstream tracecontext.Decision) bool {
	if s.parentBased && upstream != tracecontext.Undecided {
		return upstream == tracecontext.Keep
	}
	if s.always {
		return true
	}
	r := s.root.ShouldSample(sdktrace.SamplingParameters{ParentContext: context.Background(), TraceID: id})
	return r.Decision == sdktrace.RecordAndSample
}
