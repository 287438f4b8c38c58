// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The only two variables that are ever read of a process (OpenTelemetry
// specification, general SDK configuration).
const (
	envServiceName = "OTEL_SERVICE_NAME"
	envResource    = "OTEL_RESOURCE_ATTRIBUTES"
)

// maxEnvAttributes bounds what one process may add to its resource.
const maxEnvAttributes = 64

var errBadResource = errors.New("malformed " + envResource)

// parseResourceAttributes parses "key=value,key=value", values percent-encoded.
// As the specification asks, any error discards all of it.
func parseResourceAttributes(list string) ([]attribute.KeyValue, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var attrs []attribute.KeyValue
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue // a trailing comma is common and means nothing
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			return nil, fmt.Errorf("%w: pair %d", errBadResource, len(attrs))
		}
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("%w: value of %q", errBadResource, key)
		}
		if len(attrs) == maxEnvAttributes {
			return nil, fmt.Errorf("%w: more than %d attributes", errBadResource, maxEnvAttributes)
		}
		attrs = append(attrs, attribute.String(key, strings.ToValidUTF8(decoded, "\uFFFD")))
	}
	return attrs, nil
}

// ownAttributes returns what the process's environment says of its resource.
// A malformed or unreadable environment says nothing; the error is for the log.
func ownAttributes(p *process) ([]attribute.KeyValue, error) {
	env, err := p.environ(envServiceName, envResource)
	if err != nil {
		return nil, err
	}
	attrs, err := parseResourceAttributes(env[envResource])
	if name := env[envServiceName]; name != "" {
		attrs = append(attrs, semconv.ServiceName(strings.ToValidUTF8(name, "\uFFFD")))
	}
	return attrs, err
}
