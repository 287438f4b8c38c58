// SPDX-License-Identifier: Apache-2.0

package export

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// Protocols of [OTLPConfig], spelled as OTEL_EXPORTER_OTLP_PROTOCOL has them.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

// OTLPConfig says where spans go. Where a field is zero the standard variable
// named with it decides: OTEL_EXPORTER_OTLP_TRACES_x, else
// OTEL_EXPORTER_OTLP_x (OpenTelemetry Protocol Exporter specification).
type OTLPConfig struct {
	// Protocol is ProtocolGRPC or ProtocolHTTP. PROTOCOL, else by endpoint:
	// HTTP for port 4318 or a URL with a path, otherwise gRPC.
	Protocol string
	// Endpoint is a URL or host:port. For HTTP a URL that has no path gets
	// /v1/traces, one that has a path is used as it is. For gRPC any target
	// of grpc-go works too, such as unix:///run/otlp.sock. ENDPOINT, else
	// port 4317 (gRPC) or 4318 (HTTP) of localhost without TLS.
	Endpoint string
	// Headers of each request. HEADERS.
	Headers map[string]string
	// Compression is "gzip" or "none". COMPRESSION, else none.
	Compression string
	// Timeout of one request. TIMEOUT (milliseconds), else 10 s.
	Timeout time.Duration

	// CAFile holds the PEM certificates that the receiver's is checked
	// against. CERTIFICATE, else the system's.
	CAFile string
	// CertFile and KeyFile authenticate the agent, in PEM; both or neither.
	// CLIENT_CERTIFICATE and CLIENT_KEY.
	CertFile, KeyFile string
	// Insecure switches TLS off for an endpoint without a scheme; a scheme
	// decides by itself. INSECURE, else false.
	Insecure *bool
	// InsecureSkipVerify accepts any certificate of the receiver.
	InsecureSkipVerify bool

	// Version of the agent, reported as that of the instrumentation scope.
	Version string
}

// EndpointFromEnv returns the traces endpoint that the standard variables name.
func EndpointFromEnv() (string, bool) {
	v := otlpEnv{os.Getenv}.get("ENDPOINT")
	return v, v != ""
}

// otlpTarget is an OTLPConfig with everything decided.
type otlpTarget struct {
	OTLPConfig
	secure bool
	url    string // HTTP: the full URL
	target string // gRPC: what grpc-go dials
}

// resolve fills what cfg leaves open and reports every problem it finds.
func (cfg OTLPConfig) resolve(env otlpEnv) (*otlpTarget, error) {
	t := &otlpTarget{OTLPConfig: cfg}
	endpoint, source := cfg.Endpoint, fromConfig
	if endpoint == "" {
		endpoint, source = env.endpoint()
	}
	t.Protocol = firstOf(cfg.Protocol, env.get("PROTOCOL"), guessProtocol(endpoint))
	t.Compression = firstOf(cfg.Compression, env.get("COMPRESSION"), "none")
	errs := []error{
		oneOf("protocol", t.Protocol, ProtocolGRPC, ProtocolHTTP),
		oneOf("compression", t.Compression, "none", "gzip"),
		t.resolveHeaders(env),
		t.resolveTimeout(env),
		t.resolveTLS(env),
	}
	switch {
	case endpoint == "":
		t.useDefaultEndpoint()
	case t.Protocol == ProtocolGRPC:
		errs = append(errs, t.useGRPC(endpoint))
	default:
		errs = append(errs, t.useHTTP(endpoint, source))
	}
	return t, errors.Join(errs...)
}

func (t *otlpTarget) useDefaultEndpoint() {
	if t.Protocol == ProtocolHTTP {
		t.Endpoint, t.url = "http://localhost:4318", "http://localhost:4318/v1/traces"
		return
	}
	t.Endpoint, t.target = "http://localhost:4317", "localhost:4317"
}

// useGRPC takes the endpoint for gRPC, whose path, if it has one, means nothing.
func (t *otlpTarget) useGRPC(endpoint string) error {
	t.Endpoint = endpoint
	t.target, t.secure = endpoint, !*t.Insecure
	if strings.HasPrefix(endpoint, "unix:") {
		t.secure = false
	}
	u, err := url.Parse(endpoint)
	if err != nil && (strings.HasPrefix(endpoint, "http://") || strings.HasPrefix(endpoint, "https://")) {
		return unparsed(err)
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		if strings.Contains(endpoint, "@") && !strings.HasPrefix(endpoint, "unix:") {
			return errors.New("otlp endpoint: credentials belong in the headers") // not repeated, which grpc-go would do
		}
		return nil // a target for grpc-go to judge, such as host:port or dns:///host:port
	}
	if u.Host == "" {
		return fmt.Errorf("otlp endpoint %q has no host", redacted(endpoint))
	}
	t.target, t.secure = u.Host, u.Scheme == "https"
	return nil
}

// useHTTP takes the endpoint for HTTP; its source says what its path means.
func (t *otlpTarget) useHTTP(endpoint string, source endpointSource) error {
	t.Endpoint = endpoint
	if !strings.Contains(endpoint, "://") {
		scheme := "https://"
		if *t.Insecure {
			scheme = "http://"
		}
		endpoint = scheme + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return unparsed(err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("otlp endpoint %q is not an http or https URL", redacted(t.Endpoint))
	}
	t.secure = u.Scheme == "https"
	noPath := u.Path == "" || u.Path == "/"
	if source == fromGeneralEnv || source == fromConfig && noPath {
		u.Path = path.Join("/", u.Path, "v1/traces")
	}
	t.url = u.String()
	return nil
}

// unparsed is what url.Parse returned, without the URL: it may hold a password.
func unparsed(err error) error {
	var bad *url.Error
	if errors.As(err, &bad) {
		err = bad.Err
	}
	return fmt.Errorf("parse otlp endpoint: %w", err)
}

func (t *otlpTarget) resolveHeaders(env otlpEnv) (err error) {
	if len(t.Headers) == 0 {
		t.Headers, err = env.headers()
	}
	return err
}

func (t *otlpTarget) resolveTimeout(env otlpEnv) (err error) {
	if t.Timeout < 0 {
		return fmt.Errorf("otlp timeout %v is negative", t.Timeout)
	}
	if t.Timeout == 0 {
		t.Timeout, err = env.timeout()
	}
	return err
}

func (t *otlpTarget) resolveTLS(env otlpEnv) error {
	t.CAFile = firstOf(t.CAFile, env.get("CERTIFICATE"))
	if t.CertFile == "" && t.KeyFile == "" {
		t.CertFile, t.KeyFile = env.pair("CLIENT_CERTIFICATE", "CLIENT_KEY")
	}
	if t.Insecure == nil {
		insecure := strings.EqualFold(env.get("INSECURE"), "true")
		t.Insecure = &insecure
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("otlp client certificate and client key must be given together")
	}
	return nil
}

// guessProtocol chooses where nothing was said.
func guessProtocol(endpoint string) string {
	if !strings.Contains(endpoint, "://") && !strings.HasPrefix(endpoint, "unix:") {
		endpoint = "//" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return ProtocolGRPC
	}
	if u.Port() == "4318" || strings.Trim(u.Path, "/") != "" {
		return ProtocolHTTP
	}
	return ProtocolGRPC
}

func oneOf(what, got string, allowed ...string) error {
	for _, a := range allowed {
		if got == a {
			return nil
		}
	}
	return fmt.Errorf("otlp %s %q is not one of %s", what, got, strings.Join(allowed, ", "))
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// redacted returns endpoint without a password and without a query, which is
// where some receivers take their keys.
func redacted(endpoint string) string {
	endpoint, _, _ = strings.Cut(endpoint, "?")
	u, err := url.Parse(endpoint)
	switch {
	case err != nil && strings.Contains(endpoint, "@"):
		return "(unreadable)"
	case err == nil && u.User != nil:
		return u.Redacted()
	}
	return endpoint
}
