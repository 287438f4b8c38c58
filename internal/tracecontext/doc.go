// SPDX-License-Identifier: Apache-2.0

// Package tracecontext finds out of a request's header fields which span
// caused the request, whichever tracing system wrote the fields.
//
// An [Extractor] is fed every field of a head and answers with a [Result]: the
// winning context, the differing ones (to become span links), a sampling
// decision that came without ids, and the values that correlate requests
// without being trace ids (x-request-id, sw8).
//
// Formats, with the specification that their files follow, in the default order:
//
//	W3C         traceparent, tracestate            W3C Trace Context (sections of level 1)
//	B3Single    b3                                 openzipkin/b3-propagation, "Single Header"
//	B3Multi     x-b3-*                             openzipkin/b3-propagation, "Multiple Headers"
//	Jaeger      uber-trace-id                      Jaeger "Client Libraries", "Propagation Format"
//	Datadog     x-datadog-*                        Datadog "Trace Context Propagation"
//	OpenTracing ot-tracer-*                        OpenTelemetry OT Trace propagator
//	LightStep   x-ot-span-context                  lightstep_carrier.proto, BinaryCarrier
//	XRay        x-amzn-trace-id                    AWS X-Ray "Tracing header"
//	GRPCBin     grpc-trace-bin                     OpenCensus "Binary Encoding", Trace Context
//	GoogleCloud x-cloud-trace-context (opt-in)     Google Cloud "Trace context", legacy header
//
// Rules for all of them:
//
//   - Names are compared without case (RFC 9110 section 5.1), and optional white
//     space around values is dropped (RFC 9110 section 5.6.3).
//   - A value longer than [MaxValue] is invalid.
//   - An invalid value yields no context of its format and is counted; other
//     formats are not affected by it.
//   - A header that is repeated with another value is ambiguous and therefore
//     invalid: a missing link is acceptable, a wrong one is not. traceparent is
//     invalid even when repeated with the same value. Sampling state follows
//     B3: the first value wins.
//   - Ids of zero are never returned. Ids shorter than 16 or 8 bytes are padded
//     with zeros on the left.
package tracecontext
