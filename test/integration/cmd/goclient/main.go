// SPDX-License-Identifier: Apache-2.0

// Command goclient is the Go net/http client under test. Every client under
// test reads the same plan from its standard input, a JSON list of requests, and
// writes a JSON list of results (see clients_test.go). All requests of a plan
// share one connection where the protocol allows it.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

type request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Chunked bool              `json:"chunked"`
}

type result struct {
	Status int    `json:"status"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Error  string `json:"error,omitempty"`
}

func main() {
	var plan []request
	if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
		log.Fatalf("read plan: %v", err)
	}
	results := make([]result, 0, len(plan))
	for _, r := range plan {
		res, err := do(r)
		if err != nil {
			res.Error = err.Error()
		}
		results = append(results, res)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		log.Fatalf("write results: %v", err)
	}
}

func do(r request) (result, error) {
	var body io.Reader
	if r.Body != "" {
		body = strings.NewReader(r.Body)
		if r.Chunked {
			body = struct{ io.Reader }{bytes.NewReader([]byte(r.Body))} // hides the length
		}
	}
	req, err := http.NewRequest(r.Method, r.URL, body)
	if err != nil {
		return result{}, err
	}
	for k, v := range r.Headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return result{}, err
	}
	defer resp.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, resp.Body)
	res := result{Status: resp.StatusCode, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if err != nil {
		return res, fmt.Errorf("read body: %w", err)
	}
	return res, nil
}
