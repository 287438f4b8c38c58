// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// TestSDK traces a service that traces itself. Its own spans and the agent's
// spans of the leaves make one tree: each request and call has one SERVER span
// and one CLIENT span, every parent exists, and the export of the SDK's spans
// is none of them.
func TestSDK(t *testing.T) {
	for _, protocol := range []string{otlptest.HTTP, otlptest.GRPC} {
		t.Run(strings.ReplaceAll(protocol, "/", "-"), func(t *testing.T) {
			s := newSite(t)
			sink := newSink(t)
			s.env = append(s.env, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_EXPORTER_OTLP_ENDPOINT="+sink.Endpoint(protocol), "OTEL_SERVICE_NAME=sdkservice")
			s.run(t, "sdkservice", exec.Command(suite.Program("sdkservice"), s.args()...))
			w := &world{site: s, agent: startAgent(t, sink, agentOptions{block: s.block})}
			shape := Work(pause, "seq")
			// The agent learns from the first exports what this service does itself.
			w.measure(t, Plan("warm", 50, 10, true, shape), 8)
			score := w.measure(t, Plan("sdk", 600, 10, true, shape), 8)
			report(t, &Row{Runtime: "sdk", Concurrency: 8, Score: *score, Bars: Bars{Precision: 1, CallRecall: 0.999, ExchangeRate: 0.999}})
			for _, span := range sink.Spans() {
				if strings.HasPrefix(span.Str("url.path"), "/v1/traces") || strings.Contains(span.Str("url.full"), "/v1/traces") {
					t.Errorf("the SDK's export has a span: %s", &span)
					break
				}
			}
		})
	}
}
