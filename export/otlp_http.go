// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// maxResponse bounds how much of a response is read, in bytes.
const maxResponse = 64 << 10

// writeBuffer holds a usual request, so that it takes one system call. A body
// that does not fit costs further ones and a temporary buffer for each request.
const writeBuffer = 192 << 10

// httpTransport is OTLP/HTTP through the otlptracehttp client. As its
// http.RoundTripper it keeps of the latest response what the client's errors
// do not tell.
type httpTransport struct {
	otlptrace.Client
	rt   *http.Transport
	body *httpBody // nil with compression, which the client does itself

	sent       bool // a request was made
	status     int  // 0: no response
	retryAfter time.Duration
	partial    *coltracepb.ExportTracePartialSuccess
}

func newHTTPTransport(t *otlpTarget, tlsCfg *tls.Config) *httpTransport {
	h := &httpTransport{rt: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     tlsCfg,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 10 * time.Second},
		IdleConnTimeout:     90 * time.Second,
		MaxIdleConnsPerHost: 2,
		WriteBufferSize:     writeBuffer,
	}}
	compression := otlptracehttp.NoCompression
	if t.Compression == "gzip" {
		compression = otlptracehttp.GzipCompression
	} else {
		h.body = new(httpBody)
	}
	h.Client = otlptracehttp.NewClient(
		otlptracehttp.WithEndpointURL(t.url),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
		otlptracehttp.WithTLSClientConfig(nil), // in the http.Client below
		otlptracehttp.WithHeaders(t.Headers),
		otlptracehttp.WithCompression(compression),
		otlptracehttp.WithTimeout(t.Timeout),
		otlptracehttp.WithMaxResponseSize(maxResponse),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}), // the queue retries
		otlptracehttp.WithHTTPClient(&http.Client{Transport: h, Timeout: t.Timeout, CheckRedirect: keepPost}),
	)
	return h
}

// keepPost follows only redirects that repeat the request with its body (307
// and 308): an export turned into a GET would look like a success.
func keepPost(req *http.Request, via []*http.Request) error {
	if req.Method != http.MethodPost || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// UploadTraces implements otlptrace.Client. The client encodes into a new buffer
// each time, which would be nearly all the garbage that a span leaves behind:
// it is given nothing to encode, and RoundTrip puts the body in.
func (h *httpTransport) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	if h.body == nil {
		return h.Client.UploadTraces(ctx, spans)
	}
	if err := h.body.encode(spans); err != nil {
		return err
	}
	return h.Client.UploadTraces(ctx, []*tracepb.ResourceSpans{{}})
}

// RoundTrip implements http.RoundTripper.
func (h *httpTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	h.sent, h.status, h.retryAfter, h.partial = true, 0, 0, nil
	if h.body != nil {
		req = h.body.into(req)
	}
	resp, err := h.rt.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	h.status = resp.StatusCode
	h.retryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	if !delivered(resp.StatusCode) || resp.Header.Get("Content-Type") != "application/x-protobuf" {
		return resp, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var msg coltracepb.ExportTraceServiceResponse
	if err == nil && proto.Unmarshal(body, &msg) == nil {
		h.partial = msg.GetPartialSuccess()
	}
	return resp, nil
}

// judge classifies what UploadTraces returned, by what the OTLP specification
// (OTLP/HTTP Response) calls retryable.
func (h *httpTransport) judge(err error) error {
	sent, code := h.sent, h.status
	h.sent, h.status = false, 0
	switch {
	case err == nil || delivered(code): // a reply that cannot be read is no reason to send twice
		return partialError(h.partial)
	case !sent:
		return err
	case code == 0: // refused, reset, timed out
		return &RetryableError{Err: err}
	case code == http.StatusTooManyRequests || code == http.StatusBadGateway ||
		code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout:
		return &RetryableError{Err: err, After: h.retryAfter}
	}
	return err
}

func delivered(status int) bool { return status >= 200 && status <= 299 }

// retryAfter parses a Retry-After field (RFC 9110, 10.2.3): seconds or a date.
func retryAfter(v string, now time.Time) time.Duration {
	if sec, err := strconv.ParseUint(v, 10, 32); err == nil {
		return time.Duration(sec) * time.Second
	}
	if date, err := http.ParseTime(v); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

func (h *httpTransport) close() { h.rt.CloseIdleConnections() }
