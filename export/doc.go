// SPDX-License-Identifier: Apache-2.0

// Package export carries finished spans out of the agent: a bounded [Queue]
// batches them, retries, and counts every loss; an [Exporter] writes one batch
// as OTLP over gRPC or HTTP/protobuf ([NewOTLP]), as readable text trees
// ([NewText]) or as JSON lines ([NewJSON]).
//
// Producers take a span from [GetSpan], fill it and hand it to [Queue.Offer];
// from then on it belongs to the queue, which recycles it.
package export
