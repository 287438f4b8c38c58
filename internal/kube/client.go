// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// metadataOnly asks the API server for nothing but the metadata of objects.
const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

// metadataLists is metadataOnly for lists and watches.
const metadataLists = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

// client asks the API server. Safe for concurrent use.
type client struct {
	base  string
	token func() (string, error) // nil: none
	http  *http.Client
}

// Limits of one request.
const (
	connectTimeout = 10 * time.Second
	headerTimeout  = 30 * time.Second
	pingAfter      = 15 * time.Second // of silence; a dead connection ends a watch within twice that
)

func newClient(a Access) (*client, error) {
	config, err := a.tls()
	if err != nil {
		return nil, err
	}
	return &client{base: strings.TrimSuffix(a.Server, "/"), token: a.tokenSource(), http: &http.Client{Transport: transport(config)}}, nil
}

func transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment,
		TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: headerTimeout,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// statusError is an answer that is not what was asked for.
type statusError struct {
	code  int
	text  string
	after time.Duration // when to ask again, 0 if not said
}

func (e *statusError) Error() string { return fmt.Sprintf("API server: %d %s", e.code, e.text) }

// gone tells whether the state that a watch was to go on from is not kept any more.
func gone(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.code == http.StatusGone
}

// get starts a request. The caller closes the body.
func (c *client) get(ctx context.Context, path string, query url.Values, accept string) (io.ReadCloser, error) {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", path, err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "tracer-agent")
	if c.token != nil {
		token, err := c.token()
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", path, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, answered(resp)
}

// answered is the error of an answer other than 200.
func answered(resp *http.Response) error {
	e := &statusError{code: resp.StatusCode, text: resp.Status}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var status apiStatus
	if err == nil && json.Unmarshal(body, &status) == nil && status.Message != "" {
		e.text = status.Message
	}
	if seconds, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
		e.after = seconds
	}
	return e
}
