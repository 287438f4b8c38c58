// SPDX-License-Identifier: Apache-2.0

package tracecontext

// header is a field that some format reads.
type header uint8

const (
	hdrNone header = iota
	hdrTraceparent
	hdrTracestate
	hdrB3
	hdrB3TraceID
	hdrB3SpanID
	hdrB3Sampled
	hdrB3Flags
	hdrJaeger
	hdrDatadogTraceID
	hdrDatadogParentID
	hdrDatadogPriority
	hdrDatadogTags
	hdrOTTraceID
	hdrOTSpanID
	hdrOTSampled
	hdrLightStep
	hdrXRay
	hdrGRPCBin
	hdrGoogleCloud
	hdrSW8
	headerCount
)

// format returns the format that h belongs to, FormatNone for hdrSW8.
func (h header) format() Format {
	switch h {
	case hdrTraceparent, hdrTracestate:
		return W3C
	case hdrB3:
		return B3Single
	case hdrB3TraceID, hdrB3SpanID, hdrB3Sampled, hdrB3Flags:
		return B3Multi
	case hdrJaeger:
		return Jaeger
	case hdrDatadogTraceID, hdrDatadogParentID, hdrDatadogPriority, hdrDatadogTags:
		return Datadog
	case hdrOTTraceID, hdrOTSpanID, hdrOTSampled:
		return OpenTracing
	case hdrLightStep:
		return LightStep
	case hdrXRay:
		return XRay
	case hdrGRPCBin:
		return GRPCBin
	case hdrGoogleCloud:
		return GoogleCloud
	}
	return FormatNone
}

// classify tells which header name is. Nearly all names of a real head are
// turned away by their length and first byte.
func classify(name []byte) header {
	switch len(name) {
	case 2:
		return match(name, "b3", hdrB3)
	case 3:
		return match(name, "sw8", hdrSW8)
	case 10:
		if name[0]|0x20 == 't' {
			return match(name, "tracestate", hdrTracestate)
		}
		return match(name, "x-b3-flags", hdrB3Flags)
	case 11:
		if name[0]|0x20 == 't' {
			return match(name, "traceparent", hdrTraceparent)
		}
		return match(name, "x-b3-spanid", hdrB3SpanID)
	case 12:
		return either(name, "x-b3-traceid", hdrB3TraceID, "x-b3-sampled", hdrB3Sampled)
	case 13:
		return match(name, "uber-trace-id", hdrJaeger)
	case 14:
		return either(name, "x-datadog-tags", hdrDatadogTags, "grpc-trace-bin", hdrGRPCBin)
	case 15:
		return match(name, "x-amzn-trace-id", hdrXRay)
	case 16:
		return match(name, "ot-tracer-spanid", hdrOTSpanID)
	case 17:
		if name[0]|0x20 == 'o' {
			return either(name, "ot-tracer-traceid", hdrOTTraceID, "ot-tracer-sampled", hdrOTSampled)
		}
		return match(name, "x-ot-span-context", hdrLightStep)
	case 18:
		return match(name, "x-datadog-trace-id", hdrDatadogTraceID)
	case 19:
		return match(name, "x-datadog-parent-id", hdrDatadogParentID)
	case 21:
		return match(name, "x-cloud-trace-context", hdrGoogleCloud)
	case 27:
		return match(name, "x-datadog-sampling-priority", hdrDatadogPriority)
	}
	return hdrNone
}

// match returns h if name is low in any case, else hdrNone.
func match(name []byte, low string, h header) header {
	if equalFold(name, low) {
		return h
	}
	return hdrNone
}

// either is match for two names of one length.
func either(name []byte, low1 string, h1 header, low2 string, h2 header) header {
	if equalFold(name, low1) {
		return h1
	}
	return match(name, low2, h2)
}

// equalFold compares name to low, which is in lower case and as long.
func equalFold(name []byte, low string) bool {
	for i, c := range name {
		if c-'A' <= 'Z'-'A' {
			c += 'a' - 'A'
		}
		if c != low[i] {
			return false
		}
	}
	return true
}

// trim removes optional white space (RFC 9110 section 5.6.3).
func trim(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// Reads says that name, in any case, is of a header that some format is read from.
func Reads(name []byte) bool { return len(name) > 0 && classify(name) != hdrNone }
