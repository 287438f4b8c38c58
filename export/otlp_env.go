// SPDX-License-Identifier: Apache-2.0

package export

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// otlpEnv reads the OTLP exporter variables. They are read here, although the
// OTLP clients know most of them, because the clients ignore bad values and
// leave PROTOCOL to their caller.
type otlpEnv struct {
	getenv func(string) string
}

func (e otlpEnv) traces(name string) string {
	return strings.TrimSpace(e.getenv("OTEL_EXPORTER_OTLP_TRACES_" + name))
}

func (e otlpEnv) general(name string) string {
	return strings.TrimSpace(e.getenv("OTEL_EXPORTER_OTLP_" + name))
}

// get returns the variable for traces, else the general one.
func (e otlpEnv) get(name string) string {
	return firstOf(e.traces(name), e.general(name))
}

// pair returns two variables that belong together from the same place.
func (e otlpEnv) pair(a, b string) (string, string) {
	if va, vb := e.traces(a), e.traces(b); va != "" || vb != "" {
		return va, vb
	}
	return e.general(a), e.general(b)
}

// endpointSource tells where an endpoint comes from, which decides what the
// path of its URL means.
type endpointSource uint8

const (
	fromConfig     endpointSource = iota // as it is, /v1/traces if it has no path
	fromTracesEnv                        // as it is
	fromGeneralEnv                       // a base, /v1/traces lies below it
)

func (e otlpEnv) endpoint() (string, endpointSource) {
	if v := e.traces("ENDPOINT"); v != "" {
		return v, fromTracesEnv
	}
	return e.general("ENDPOINT"), fromGeneralEnv
}

// headers parses name=value pairs, separated by commas, with percent-encoded
// values (W3C Baggage without properties). Errors do not repeat values, they
// may be secrets.
func (e otlpEnv) headers() (map[string]string, error) {
	text := e.get("HEADERS")
	if text == "" {
		return nil, nil
	}
	headers := make(map[string]string)
	for n, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, raw, found := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if !found || name == "" {
			return nil, fmt.Errorf("otlp headers: entry %d is not name=value", n+1)
		}
		value, err := url.PathUnescape(strings.TrimSpace(raw))
		if err != nil {
			return nil, fmt.Errorf("otlp headers: value of %q is not percent-encoded", name)
		}
		headers[name] = value
	}
	return headers, nil
}

func (e otlpEnv) timeout() (time.Duration, error) {
	const standard = 10 * time.Second
	text := e.get("TIMEOUT")
	if text == "" {
		return standard, nil
	}
	ms, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("otlp timeout %q is not a number of milliseconds", text)
	}
	if ms == 0 {
		return standard, nil
	}
	return time.Duration(ms) * time.Millisecond, nil
}
