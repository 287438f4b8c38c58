// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// play sends the requests of the script, one after the other.
func play(tcp, unix string) error {
	pooled := &http.Client{}
	plain := "http://" + tcp
	requests := []*http.Request{
		request("GET", plain+"/hello?token="+canary+"&page=2", nil),
		request("POST", plain+"/echo", strings.NewReader(strings.Repeat(canary, 50))),
		request("POST", plain+"/echo?chunked=1", struct{ io.Reader }{strings.NewReader(strings.Repeat(canary, 500))}),
		request("HEAD", plain+"/hello", nil),
		request("GET", plain+"/stream", nil),
		request("GET", plain+"/large", nil),
		request("GET", plain+"/missing", nil),
	}
	requests[0].Header.Set("Traceparent", "00-5c2e91a07bd34f6688c1d20e9a4b7f13-9d41c6e08f2ab735-01")
	for _, r := range requests {
		if err := fetch(pooled, r); err != nil {
			return err
		}
	}
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // on a used connection it would try again
	if err := fetch(once, request("GET", plain+"/hangup", nil)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("a connection that is closed without an answer: %v", err)
	}
	local := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", unix)
	}}}
	if err := fetch(local, request("GET", "http://local/hello?over=unix", nil)); err != nil {
		return err
	}
	for _, calls := range rawScripts() {
		if err := raw(tcp, calls); err != nil {
			return err
		}
	}
	return nil
}

func request(method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err) // the script is wrong
	}
	r.Header.Set("Authorization", "Bearer "+canary)
	return r
}

func fetch(c *http.Client, r *http.Request) error {
	resp, err := c.Do(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	return nil
}

// rawScripts are connections: what is written, call by call. The last request of
// each asks for the connection to be closed.
func rawScripts() [][]string {
	const last = " HTTP/1.1\r\nHost: raw\r\nConnection: close\r\nCookie: " + canary + "\r\n\r\n"
	one := func(n int) string {
		return fmt.Sprintf("GET /hello?pipelined=%d HTTP/1.1\r\nHost: raw\r\nX-Private: %s\r\n\r\n", n, canary)
	}
	return [][]string{
		{one(1) + one(2) + "GET /hello?pipelined=3" + last},
		{"G", "ET /hello?in=pieces", " HTTP/1.1\r\nHost: r", "aw\r\nCookie: Ca", "NaRy\r\nConnection: close\r\n\r\n"},
		{"PUT /echo HTTP/1.1\r\nHost: raw\r\nExpect: 100-continue\r\nContent-Length: 6\r\nConnection: close\r\n\r\n", canary},
		{"GET /old HTTP/1.0\r\n\r\n"},
	}
}

// raw writes calls and reads to the end. After an Expect it waits for the answer.
func raw(address string, calls []string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for _, b := range calls {
		if _, err := io.WriteString(c, b); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if strings.Contains(b, "Expect") {
			if _, err := in.ReadString('\n'); err != nil {
				return fmt.Errorf("wait for the interim response: %w", err)
			}
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}
